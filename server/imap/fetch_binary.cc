// BINARY (RFC 3516): parts without their transfer encoding.
//
// A part that lies in what is held is decoded at once. A larger one is read twice, piece by piece:
// to be counted, unless it was counted for the slice before, and to be told.
#include <algorithm>

#include "server/imap/fetch_message.h"
#include "server/imap/response.h"

namespace twinspool::imap {

bool FetchMessage::WriteBinary(std::string* out, const FetchItem& item) {
  Source source;
  if (!FindBinarySource(item.section, &source)) {
    return false;
  }
  Separate(out);
  AppendSectionName(out, item);
  *out += ' ';
  if (item.attribute == FetchAttribute::kBinarySize) {
    const std::uint64_t range = source.end - source.begin;
    AppendNumber(out,
                 source.composed ? source.composed->size() : source.decoded_bytes.value_or(range));
  } else if (source.decoded_bytes) {
    WriteDecoded(out, source, item.partial);
  } else {
    WriteSource(out, std::move(source), item.partial, true);
  }
  return true;
}

bool FetchMessage::FindBinarySource(const Section& section, Source* source) {
  if (section.part.empty()) {
    return FindSource(section, source);  // the message as it is: it has no encoding as a whole
  }
  if (!FindStructure()) {
    return false;
  }
  const mime::PartIndex index = mime::FindPart(*structure_, section.part);
  const bool leaf = index != mime::kNoPart && structure_->at(index).kind == mime::PartKind::kLeaf;
  if (!leaf) {
    return FindPartSource(section, source);
  }
  const mime::Part& part = structure_->at(index);
  switch (mime::TransferKindOf(part.fields.encoding)) {
    case mime::TransferKind::kIdentity:
      return FindPartSource(section, source);
    case mime::TransferKind::kUnknown:
      unknown_encoding_ = true;
      source->nil = true;
      return true;
    case mime::TransferKind::kEncoded:
      break;
  }
  if (message_.record.size > limits::kFetchBatchBytes) {
    return CountDecoded(index, source);
  }
  if (!Have(part.body.end)) {
    return false;
  }
  source->composed = mime::DecodeTransfer(part.fields.encoding, part.body.Of(message_.octets));
  return true;
}

/// True when it is known how many octets the part decodes to.
bool FetchMessage::CountDecoded(mime::PartIndex index, Source* source) {
  if (counting_) {
    return false;
  }
  const mime::Part& part = structure_->at(index);
  if (known_->body != message_.record.body || known_->counted_part != index) {
    *known_ = {message_.record.body, structure_, index, 0};
    counting_.emplace(Decoding{part.body.begin, part.body.end,
                               mime::TransferDecoder(part.fields.encoding), 0, 0});
    if (part.body.size() > 0) {
      return false;
    }
    counting_.reset();
  }
  source->begin = part.body.begin;
  source->end = part.body.end;
  source->decoded_bytes = known_->counted_bytes;
  source->encoding = part.fields.encoding;
  return true;
}

void FetchMessage::Count(std::string_view octets) {
  std::string decoded;
  counting_->decoder.Feed(octets, &decoded);
  counting_->at += octets.size();
  if (counting_->at >= counting_->end) {
    counting_->decoder.Finish(&decoded);
    counting_.reset();
  }
  known_->counted_bytes += decoded.size();
}

void FetchMessage::WriteDecoded(std::string* out, const Source& source,
                                const std::optional<Partial>& partial) {
  const std::uint64_t size = *source.decoded_bytes;
  const std::uint64_t skip = partial ? std::min<std::uint64_t>(partial->offset, size) : 0;
  const std::uint64_t left = partial ? std::min<std::uint64_t>(partial->length, size - skip) : size;
  *out += '~';
  AppendLiteralHead(out, left);
  if (left > 0) {
    decoding_.emplace(
        Decoding{source.begin, source.end, mime::TransferDecoder(source.encoding), skip, left});
    streaming_ = true;
    std::string().swap(piece_);
  }
}

std::optional<FetchMessage::Wanted> FetchMessage::StreamDecoded(std::string* out) {
  Decoding& now = *decoding_;
  std::string decoded;
  now.decoder.Feed(piece_, &decoded);
  now.at += piece_.size();
  std::string().swap(piece_);
  if (now.at >= now.end) {
    now.decoder.Finish(&decoded);
  }
  const std::uint64_t skipped = std::min<std::uint64_t>(now.skip, decoded.size());
  const std::uint64_t taken = std::min<std::uint64_t>(now.left, decoded.size() - skipped);
  out->append(decoded, static_cast<std::size_t>(skipped), static_cast<std::size_t>(taken));
  now.skip -= skipped;
  now.left -= taken;
  if (now.left == 0 || now.at >= now.end) {
    decoding_.reset();
    return std::nullopt;
  }
  // The client may stop reading here for long; a later item reads again what it needs.
  std::string().swap(message_.octets);
  return Wanted{now.at, static_cast<std::size_t>(
                            std::min<std::uint64_t>(now.end - now.at, limits::kBodyChunkBytes))};
}

}  // namespace twinspool::imap
