#include "server/mime/text.h"

#include "common/limits.h"
#include "server/mime/ascii.h"
#include "server/mime/charset.h"
#include "server/mime/encoded_word.h"
#include "server/mime/header.h"
#include "server/mime/transfer.h"

namespace twinspool::mime {
namespace {

constexpr char kRecordEnd = '\x1e';
constexpr char kHeaderEnd = '\x1d';
constexpr char kCut = '\x1c';
constexpr char kNoField = '\x1f';
/// Quoted-printable writes one octet as three, the worst of the encodings.
constexpr std::size_t kEncodedOctets = 3;

/// Collects records until the bound.
class Collector {
 public:
  void Header(std::string_view block) {
    HeaderIterator fields(block);
    HeaderField field;
    while (!cut_ && fields.Next(&field)) {
      if (field.name.empty()) {
        out_.push_back(kNoField);
        Record(DecodedValue(field.value));
      } else {
        Record(ToUtf8("", field.name) + ": " + DecodedValue(field.value));
      }
    }
  }
  void EndHeader() { out_.push_back(kHeaderEnd); }

  void Part(const mime::Part& part, std::string_view message) {
    Header(part.header.Of(message));
    HiddenName(part.fields.disposition_parameters, "filename");
    HiddenName(part.fields.parameters, "name");
    Body(part, message);
  }

  void Body(const mime::Part& part, std::string_view message) {
    const bool searched = part.kind == PartKind::kLeaf && (EqualsIgnoreCase(part.type, "text") ||
                                                           EqualsIgnoreCase(part.type, "message"));
    if (!searched || cut_) {
      return;
    }
    const std::size_t octets_max = (kBytesMax - std::min(kBytesMax, out_.size())) * kEncodedOctets;
    const std::string decoded =
        DecodeTransfer(part.fields.encoding, part.body.Of(message).substr(0, octets_max));
    const std::string charset = DecodedParameter(part.fields.parameters, "charset").value_or("");
    Record(ToUtf8(charset, decoded));
    if (const auto labelled = AsLabelled(charset, decoded); labelled.has_value() && !cut_) {
      Record(*labelled);
    }
    cut_ = cut_ || part.body.size() > octets_max;
  }

  bool cut() const { return cut_; }
  std::string Take() {
    if (cut_) {
      out_.push_back(kCut);
    }
    return std::move(out_);
  }

 private:
  static constexpr std::size_t kBytesMax = limits::kFoldedTextBytesMax - 16;  // and separators

  void Record(std::string_view utf8) {
    cut_ = !FoldInto(utf8, kBytesMax, &out_);
    out_.push_back(kRecordEnd);
  }

  /// A file name in RFC 2231 form reads "filename*0*=utf-8''%e2…" in the header.
  void HiddenName(const std::vector<Parameter>& parameters, std::string_view name) {
    for (const Parameter& parameter : parameters) {
      if (!cut_ && parameter.name.find('*') != std::string::npos) {
        if (const auto value = DecodedParameter(parameters, name); value.has_value()) {
          Record(*value);
        }
        return;
      }
    }
  }

  std::string out_;
  bool cut_ = false;
};

/// The part of `folded` up to the end of the header, and what is behind it.
struct Halves {
  std::string_view header;
  std::string_view body;
};
Halves Split(std::string_view folded) {
  const std::size_t end = folded.find(kHeaderEnd);
  if (end == std::string_view::npos) {
    return {folded, {}};
  }
  return {folded.substr(0, end), folded.substr(end + 1)};
}

}  // namespace

std::string FoldedText(std::string_view message) {
  const Structure structure = Scan(message);
  Collector collector;
  collector.Header(structure.root().header.Of(message));
  collector.EndHeader();
  collector.Body(structure.root(), message);
  for (std::size_t i = 1; i < structure.parts.size() && !collector.cut(); ++i) {
    collector.Part(structure.parts[i], message);
  }
  return collector.Take();
}

bool FoldedIsCut(std::string_view folded) {
  return folded.ends_with(kCut);
}

bool FoldedHeaderContains(std::string_view folded, std::string_view name,
                          std::string_view folded_key) {
  const std::string start = Fold(name) + ": ";
  std::string_view header = Split(folded).header;
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(kRecordEnd), header.size() - 1);
    const std::string_view record = header.substr(0, end);
    if (record.starts_with(start) && FoldedContains(record.substr(start.size()), folded_key)) {
      return true;
    }
    header.remove_prefix(end + 1);
  }
  return false;
}

bool FoldedBodyContains(std::string_view folded, std::string_view folded_key) {
  return FoldedContains(Split(folded).body, folded_key);
}

bool FoldedTextContains(std::string_view folded, std::string_view folded_key) {
  return FoldedContains(folded, folded_key);
}

std::string DecodedValue(std::string_view raw_value) {
  return DecodeEncodedWords(Unfold(raw_value));
}

}  // namespace twinspool::mime
