// The items of one FETCH response, and the pulling of octets they need.
#include "server/imap/fetch_message.h"

#include <algorithm>

#include "server/imap/answers.h"
#include "server/imap/fetch_line.h"
#include "server/imap/response.h"
#include "server/mime/header.h"

namespace twinspool::imap {
namespace {

mime::SectionKind KindOf(SectionText text) {
  switch (text) {
    case SectionText::kAll:
      return mime::SectionKind::kAll;
    case SectionText::kHeader:
      return mime::SectionKind::kHeader;
    case SectionText::kHeaderFields:
      return mime::SectionKind::kHeaderFields;
    case SectionText::kHeaderFieldsNot:
      return mime::SectionKind::kHeaderFieldsNot;
    case SectionText::kText:
      return mime::SectionKind::kText;
    case SectionText::kMime:
      return mime::SectionKind::kMime;
  }
  return mime::SectionKind::kAll;
}

std::string_view TextName(SectionText text) {
  switch (text) {
    case SectionText::kAll:
      return "";
    case SectionText::kHeader:
      return "HEADER";
    case SectionText::kHeaderFields:
      return "HEADER.FIELDS";
    case SectionText::kHeaderFieldsNot:
      return "HEADER.FIELDS.NOT";
    case SectionText::kText:
      return "TEXT";
    case SectionText::kMime:
      return "MIME";
  }
  return "";
}

std::string_view WordOf(FetchAttribute attribute) {
  switch (attribute) {
    case FetchAttribute::kBinary:
      return "BINARY[";
    case FetchAttribute::kBinarySize:
      return "BINARY.SIZE[";
    default:
      return "BODY[";
  }
}

bool Composed(SectionText text) {
  return text == SectionText::kHeaderFields || text == SectionText::kHeaderFieldsNot;
}

Section SectionOf(SectionText text) {
  Section section;
  section.text = text;
  return section;
}

}  // namespace

void AppendSectionName(std::string* out, const FetchItem& item) {
  out->append(WordOf(item.attribute));
  bool dot = false;
  for (const std::uint32_t number : item.section.part) {
    out->append(dot ? "." : "");
    AppendNumber(out, number);
    dot = true;
  }
  const std::string_view name = TextName(item.section.text);
  out->append(dot && !name.empty() ? "." : "");
  out->append(name);
  if (!item.section.fields.empty()) {
    out->append(" (");
    for (std::size_t i = 0; i < item.section.fields.size(); ++i) {
      out->append(i == 0 ? "" : " ");
      AppendAstring(out, item.section.fields[i]);
    }
    out->push_back(')');
  }
  out->push_back(']');
  if (item.partial) {
    out->push_back('<');
    AppendNumber(out, item.partial->offset);
    out->push_back('>');
  }
}

void FetchMessage::Reset(FetchedMessage message) {
  message_ = std::move(message);
  item_ = 0;
  first_ = true;
  summary_.reset();
  structure_.reset();
  scanner_.reset();
  counting_.reset();
  decoding_.reset();
  need_ = 0;
  streaming_ = false;
}

void FetchMessage::BeginOctets(FetchedMessage message) {
  Reset(std::move(message));
  bare_ = true;
}

void FetchMessage::Begin(std::string* out, std::uint32_t number, FetchedMessage message) {
  Reset(std::move(message));
  AppendFetchHead(out, number, message_.uid, plan_.by_uid);
  if (plan_.uid) {
    out->append("UID ");
    AppendNumber(out, message_.uid.value());
    first_ = false;
  }
}

std::optional<FetchMessage::Wanted> FetchMessage::Write(std::string* out) {
  while (item_ < items_.size() || streaming_) {
    if (out->size() >= limits::kOutputHighBytes) {
      return Wanted{};
    }
    if (streaming_) {
      if (const std::optional<Wanted> wanted = Stream(out)) {
        return wanted;
      }
      streaming_ = false;
      continue;
    }
    if (!WriteItem(out, items_[item_])) {
      if (scanner_) {
        return Wanted{scanned_, static_cast<std::size_t>(std::min<std::uint64_t>(
                                    message_.record.size - scanned_, limits::kFetchBatchBytes))};
      }
      if (counting_) {
        return Wanted{counting_->at, static_cast<std::size_t>(std::min<std::uint64_t>(
                                         counting_->end - counting_->at, limits::kBodyChunkBytes))};
      }
      const std::uint64_t held = message_.octets.size();
      const std::uint64_t length = std::min<std::uint64_t>(need_ - held, limits::kFetchBatchBytes);
      return Wanted{held, static_cast<std::size_t>(length),
                    need_ > limits::kFetchBatchBytes ? message_.record.size : 0};
    }
    ++item_;
  }
  out->append(bare_ ? "" : ")\r\n");
  return std::nullopt;
}

void FetchMessage::Octets(std::string octets) {
  if (streaming_) {
    piece_ = std::move(octets);
  } else if (scanner_) {
    Scan(octets);
  } else if (counting_) {
    Count(octets);
  } else {
    message_.octets += octets;
  }
}

std::optional<FetchMessage::Wanted> FetchMessage::Stream(std::string* out) {
  if (decoding_) {
    return StreamDecoded(out);
  }
  out->append(piece_);
  stream_at_ += piece_.size();
  std::string().swap(piece_);
  const std::uint64_t held = message_.octets.size();
  if (stream_at_ < std::min(held, stream_end_)) {
    const std::uint64_t end = std::min(held, stream_end_);
    out->append(message_.octets, static_cast<std::size_t>(stream_at_),
                static_cast<std::size_t>(end - stream_at_));
    stream_at_ = end;
  }
  if (stream_at_ == stream_end_) {
    return std::nullopt;
  }
  // The client may stop reading here for long; a later item reads again what it needs.
  std::string().swap(message_.octets);
  const std::uint64_t length =
      std::min<std::uint64_t>(stream_end_ - stream_at_, limits::kBodyChunkBytes);
  return Wanted{stream_at_, static_cast<std::size_t>(length)};
}

void FetchMessage::DropLarge() {
  if (message_.octets.size() > limits::kFetchBatchBytes) {
    std::string().swap(message_.octets);
  }
}

bool FetchMessage::Have(std::uint64_t end) {
  need_ = std::min(end, message_.record.size);
  return message_.octets.size() >= need_;
}

void FetchMessage::Separate(std::string* out) {
  out->append(first_ ? "" : " ");
  first_ = false;
}

bool FetchMessage::WriteItem(std::string* out, const FetchItem& item) {
  switch (item.attribute) {
    case FetchAttribute::kUid:
      return true;  // stands first
    case FetchAttribute::kFlags:
      Separate(out);
      AppendFlags(&(*out += "FLAGS "), message_.entry.flags, message_.entry.keywords, keywords_);
      return true;
    case FetchAttribute::kModseq:
      Separate(out);
      AppendNumber(&(*out += "MODSEQ ("), message_.entry.modseq.value());
      *out += ')';
      return true;
    case FetchAttribute::kInternalDate:
      Separate(out);
      AppendInternalDate(&(*out += "INTERNALDATE "), message_.record.internal_date,
                         message_.record.zone_minutes);
      return true;
    case FetchAttribute::kRfc822Size:
      Separate(out);
      AppendNumber(&(*out += "RFC822.SIZE "), message_.record.size);
      return true;
    case FetchAttribute::kEmailId:
      Separate(out);
      *out += "EMAILID (" + EmailIdText(message_.record.guid) + ")";
      return true;
    case FetchAttribute::kSaveDate:
      Separate(out);
      AppendInternalDate(&(*out += "SAVEDATE "), message_.record.save_date, 0);
      return true;
    case FetchAttribute::kEnvelope:
    case FetchAttribute::kBody:
    case FetchAttribute::kBodyStructure:
    case FetchAttribute::kPreview:
    case FetchAttribute::kThreadId:
      return WriteSummaryItem(out, item);
    case FetchAttribute::kBinary:
    case FetchAttribute::kBinarySize:
      return WriteBinary(out, item);
    default:
      return WriteSection(out, item);
  }
}

bool FetchMessage::WriteSummaryItem(std::string* out, const FetchItem& item) {
  if (!summary_) {
    Result<mime::Summary> summary = mime::ParseSummary(message_.summary);
    if (!summary.ok()) {
      // The cache has nothing usable: the octets are the truth.
      if (!Have(message_.record.size)) {
        return false;
      }
      summary = mime::ParseSummary(mime::Summarize(message_.octets));
    }
    summary_ = std::move(*summary);
    DropLarge();
  }
  Separate(out);
  if (item.attribute == FetchAttribute::kEnvelope) {
    *out += "ENVELOPE ";
    *out += summary_->envelope;
  } else if (item.attribute == FetchAttribute::kBody) {
    *out += "BODY ";
    *out += summary_->body;
  } else if (item.attribute == FetchAttribute::kPreview) {
    AppendString(&(*out += "PREVIEW "), summary_->preview);
  } else if (item.attribute == FetchAttribute::kThreadId) {
    *out += "THREADID (" + ThreadIdText(message_.record.guid, mime::ViewOf(summary_->sort)) + ")";
  } else {
    *out += "BODYSTRUCTURE ";
    *out += summary_->body_structure;
  }
  return true;
}

bool FetchMessage::WriteSection(std::string* out, const FetchItem& item) {
  Source source;
  std::string name;
  bool found = false;
  if (item.attribute == FetchAttribute::kRfc822) {
    name = "RFC822";
    found = FindSource(SectionOf(SectionText::kAll), &source);
  } else if (item.attribute == FetchAttribute::kRfc822Header) {
    name = "RFC822.HEADER";
    found = FindSource(SectionOf(SectionText::kHeader), &source);
  } else if (item.attribute == FetchAttribute::kRfc822Text) {
    name = "RFC822.TEXT";
    found = FindSource(SectionOf(SectionText::kText), &source);
  } else {
    AppendSectionName(&name, item);
    found = FindSource(item.section, &source);
  }
  if (!found) {
    return false;
  }
  if (!bare_) {
    Separate(out);
    *out += name;
    *out += ' ';
  }
  WriteSource(out, std::move(source), item.partial);
  return true;
}

void FetchMessage::WriteSource(std::string* out, Source source,
                               const std::optional<Partial>& partial, bool binary) {
  if (source.nil) {
    missing_ = true;
    *out += bare_ ? "" : "NIL";
    return;
  }
  if (source.composed) {
    source.begin = 0;
    source.end = source.composed->size();
  }
  if (partial) {
    source.begin = std::min<std::uint64_t>(source.begin + partial->offset, source.end);
    source.end = std::min<std::uint64_t>(source.begin + partial->length, source.end);
  }
  if (!bare_) {
    *out += binary ? "~" : "";
    AppendLiteralHead(out, source.end - source.begin);
  }
  if (source.composed) {
    out->append(*source.composed, static_cast<std::size_t>(source.begin),
                static_cast<std::size_t>(source.end - source.begin));
    return;
  }
  streaming_ = true;
  stream_at_ = source.begin;
  stream_end_ = source.end;
}

bool FetchMessage::FindSource(const Section& section, Source* source) {
  if (!section.part.empty()) {
    return FindPartSource(section, source);
  }
  if (section.text == SectionText::kAll) {
    source->end = message_.record.size;
    return true;
  }
  if (section.text == SectionText::kMime) {
    source->nil = true;
    return true;
  }
  return FindHeaderSource(section, source);
}

bool FetchMessage::FindHeaderSource(const Section& section, Source* source) {
  const std::uint64_t held = message_.octets.size();
  const std::uint64_t header = mime::HeaderBlockLength(message_.octets);
  if (header == held && held < message_.record.size) {
    // The header may go on behind what is here.
    return Have(std::max<std::uint64_t>(2 * held, limits::kFetchHeaderBytes));
  }
  if (section.text == SectionText::kText) {
    source->begin = header;
    source->end = message_.record.size;
  } else if (section.text == SectionText::kHeader) {
    source->end = header;
  } else {
    source->composed = mime::FilterHeader(
        std::string_view(message_.octets).substr(0, static_cast<std::size_t>(header)),
        section.fields, section.text == SectionText::kHeaderFields);
  }
  DropLarge();
  return true;
}

void FetchMessage::Scan(std::string_view octets) {
  scanner_->Feed(octets);
  scanned_ += octets.size();
  if (scanned_ >= message_.record.size) {
    structure_ = std::make_shared<const mime::Structure>(scanner_->Finish());
    scanner_.reset();
    *known_ = {message_.record.body, structure_, mime::kNoPart, 0};
  }
}

bool FetchMessage::FindStructure() {
  if (!structure_ && known_->structure && known_->body == message_.record.body) {
    structure_ = known_->structure;
  }
  if (structure_ || scanner_) {
    return structure_ != nullptr;
  }
  if (message_.record.size > limits::kFetchBatchBytes) {
    scanner_ = std::make_unique<mime::StructureScanner>();
    scanned_ = 0;
    Scan(message_.octets);
    return structure_ != nullptr;
  }
  if (!Have(message_.record.size)) {
    return false;
  }
  structure_ = std::make_shared<const mime::Structure>(mime::Scan(message_.octets));
  return true;
}

bool FetchMessage::FindPartSource(const Section& section, Source* source) {
  if (!FindStructure()) {
    return false;
  }
  if (Composed(section.text)) {
    const mime::SectionSpec header{section.part, mime::SectionKind::kHeader, {}};
    const auto range = mime::ResolveSection(*structure_, message_.octets, header);
    if (range && !Have(range->range.end)) {
      return false;
    }
  }
  const mime::SectionSpec spec{section.part, KindOf(section.text), section.fields};
  std::optional<mime::SectionData> data = mime::ResolveSection(*structure_, message_.octets, spec);
  if (!data) {
    source->nil = true;
    return true;
  }
  source->composed = std::move(data->composed);
  source->begin = data->range.begin;
  source->end = data->range.end;
  DropLarge();
  return true;
}

}  // namespace twinspool::imap
