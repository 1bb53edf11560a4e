#include "server/mime/structure.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "server/mime/ascii.h"
#include "server/mime/header.h"

namespace twinspool::mime {
namespace {

/// "en, de (comment)" as its words.
std::vector<std::string> ParseLanguages(std::string_view value) {
  std::vector<std::string> languages;
  std::size_t pos = 0;
  while (languages.size() < limits::kMimeParametersMax) {
    pos = SkipCfws(value, pos);
    if (pos >= value.size()) {
      break;
    }
    const std::size_t end = std::min(value.find_first_of(", \t\r\n(", pos), value.size());
    if (end > pos) {
      languages.emplace_back(value.substr(pos, end - pos));
    }
    pos = end < value.size() && value[end] == ',' ? end + 1 : end;
  }
  return languages;
}

/// Fills a part from its header block. Each field once, the first of its name.
class ContentReader {
 public:
  explicit ContentReader(Part* part) : part_(part) {}

  void Read(std::string_view block) {
    static constexpr std::string_view kPrefix = "content-";
    HeaderIterator fields(block);
    HeaderField field;
    while (fields.Next(&field)) {
      if (field.name.size() > kPrefix.size() &&
          EqualsIgnoreCase(field.name.substr(0, kPrefix.size()), kPrefix)) {
        ReadField(Lowercase(field.name.substr(kPrefix.size(), kNameBytesMax)), field.value);
      }
    }
  }

 private:
  static constexpr std::size_t kNameBytesMax = 32;

  void ReadField(std::string_view name, std::string_view value) {
    if (name == "type") {
      ReadType(value);
    } else if (name == "disposition") {
      ReadDisposition(value);
    } else if (name == "language") {
      ReadOnce(&seen_language_, [&] { fields().languages = ParseLanguages(Unfold(value)); });
    } else if (name == "transfer-encoding") {
      ReadOnce(&seen_encoding_,
               [&] { fields().encoding = ParseValueWithParameters(Unfold(value)).value; });
    } else if (std::string* text = PlainField(name); text != nullptr && text->empty()) {
      *text = Unfold(value);
    }
  }

  std::string* PlainField(std::string_view name) {
    if (name == "id") {
      return &fields().id;
    }
    if (name == "description") {
      return &fields().description;
    }
    if (name == "md5") {
      return &fields().md5;
    }
    return name == "location" ? &fields().location : nullptr;
  }

  void ReadType(std::string_view value) {
    ReadOnce(&seen_type_, [&] {
      ValueWithParameters parsed = ParseValueWithParameters(Unfold(value));
      if (!parsed.value.empty() && !parsed.subtype.empty()) {
        part_->type = std::move(parsed.value);
        part_->subtype = std::move(parsed.subtype);
        fields().parameters = std::move(parsed.parameters);
      }
    });
  }

  void ReadDisposition(std::string_view value) {
    ReadOnce(&seen_disposition_, [&] {
      ValueWithParameters parsed = ParseValueWithParameters(Unfold(value));
      if (!parsed.value.empty()) {
        fields().disposition = std::move(parsed.value);
        fields().disposition_parameters = std::move(parsed.parameters);
      }
    });
  }

  template <typename Action>
  static void ReadOnce(bool* seen, Action action) {
    if (!std::exchange(*seen, true)) {
      action();
    }
  }

  ContentFields& fields() { return part_->fields; }

  Part* const part_;
  bool seen_type_ = false;
  bool seen_disposition_ = false;
  bool seen_language_ = false;
  bool seen_encoding_ = false;
};

/// The boundary to compare lines with; empty if the parameters give none.
std::string BoundaryOf(const std::vector<Parameter>& parameters) {
  std::string boundary;
  const auto plain = std::find_if(parameters.begin(), parameters.end(), [](const Parameter& p) {
    return EqualsIgnoreCase(p.name, "boundary");
  });
  if (plain != parameters.end()) {
    boundary = plain->value;
  } else if (auto joined = DecodedParameter(parameters, "boundary"); joined.has_value()) {
    boundary = std::move(*joined);
  }
  while (!boundary.empty() && IsSpace(boundary.back())) {  // RFC 2046 §5.1.1: never ends in blank
    boundary.pop_back();
  }
  boundary.resize(std::min(boundary.size(), limits::kMimeBoundaryBytesMax));
  return boundary;
}

/// Of a header, no field beyond so many octets is looked at.
constexpr std::size_t kHeaderOctetsMax = 1u << 20;
/// As much of a line as a boundary, its dashes and those of an end boundary can take.
constexpr std::size_t kLineHeadMax = limits::kMimeBoundaryBytesMax + 4;

}  // namespace

class StructureScanner::Impl {
 public:
  Impl() { OpenPart(kNoPart); }

  void Feed(std::string_view octets) {
    while (!octets.empty()) {
      const std::string_view piece = octets.substr(0, LineLength(octets));
      octets.remove_prefix(piece.size());
      if (mode_ == Mode::kHeader) {
        header_.append(
            piece.substr(0, kHeaderOctetsMax - std::min(kHeaderOctetsMax, header_.size())));
      }
      if (begun_.length == 0 && piece.ends_with('\n')) {
        EndLine({piece, piece.size(), piece.ends_with("\r\n") ? 2U : 1U});
      } else {
        AddToLine(piece);
      }
    }
  }

  Structure Finish() {
    if (begun_.length > 0) {
      EndLine({begun_.head, begun_.length, 0});
    }
    line_break_ = 0;  // the end of the message is no boundary: nothing belongs to it
    CloseDownTo(0);
    return std::move(structure_);
  }

 private:
  struct Line {
    std::string_view head;  // kLineHeadMax octets at least, if it has so many
    std::size_t length = 0;
    std::size_t line_break = 0;  // length of its own

    bool empty() const { return line_break > 0 && length == line_break; }
  };
  /// A line whose end has not come yet.
  struct Begun {
    std::string head;
    std::size_t length = 0;
    bool ends_with_cr = false;
  };
  struct Open {
    PartIndex part;
    std::string boundary;            // empty unless an open multipart
    PartIndex last_child = kNoPart;  // to chain siblings
    std::uint64_t lines_before = 0;  // LF ahead of the body
  };
  enum class Mode {
    kHeader,  // of the innermost part
    kBody,    // of a leaf
    kBetween  // preamble or epilogue
  };

  Part& part(PartIndex index) { return structure_.parts[static_cast<std::size_t>(index)]; }
  bool Full() const {
    return structure_.parts.size() >= static_cast<std::size_t>(limits::kMimePartsMax);
  }

  void AddToLine(std::string_view piece) {
    begun_.head.append(piece.substr(0, kLineHeadMax - begun_.head.size()));
    begun_.length += piece.size();
    const bool crlf = piece == "\n" ? begun_.ends_with_cr : piece.ends_with("\r\n");
    begun_.ends_with_cr = piece.ends_with('\r');
    if (piece.ends_with('\n')) {
      EndLine({begun_.head, begun_.length, crlf ? 2U : 1U});
      begun_ = Begun();
    }
  }

  void EndLine(const Line& line) {
    Judge(line);
    line_break_ = line.line_break;
    pos_ += line.length;
    lines_ += line_break_ > 0 ? 1 : 0;
    header_before_ = header_.size();
  }

  void Judge(const Line& line) {
    if (line.head.starts_with("--")) {
      if (const std::size_t level = MatchBoundary(line.head.substr(2)); level < stack_.size()) {
        Boundary(level, line);
        return;
      }
    }
    if (mode_ == Mode::kHeader && line.empty()) {
      EndHeader(pos_ + line.length, lines_ + 1);
    }
  }

  /// Level of the open multipart whose boundary starts `text`, or stack_.size().
  std::size_t MatchBoundary(std::string_view text) const {
    std::size_t best = stack_.size();
    std::size_t best_length = 0;
    for (std::size_t level = stack_.size(); level-- > 0;) {
      const std::string& boundary = stack_[level].boundary;
      if (boundary.size() > best_length && text.starts_with(boundary)) {
        best = level;
        best_length = boundary.size();
      }
    }
    return best;
  }

  void Boundary(std::size_t level, const Line& line) {
    header_.resize(header_before_);  // this line is none of a header
    CloseDownTo(level + 1);
    Open& multipart = stack_[level];
    mode_ = Mode::kBetween;
    const std::size_t after = 2 + multipart.boundary.size();
    if (line.head.substr(after).starts_with("--")) {
      multipart.boundary.clear();
    } else if (line.line_break > 0) {
      OpenPart(multipart.part, pos_ + line.length);
    }
  }

  void OpenPart(PartIndex parent, std::size_t begin = 0) {
    const auto index = static_cast<PartIndex>(structure_.parts.size());
    Part& added = structure_.parts.emplace_back();
    added.parent = parent;
    added.header = {begin, begin};
    added.body = {begin, begin};
    if (parent != kNoPart) {
      Open& opener = stack_.back();
      (opener.last_child == kNoPart ? part(parent).first_child
                                    : part(opener.last_child).next_sibling) = index;
      opener.last_child = index;
    }
    stack_.push_back({index, {}, kNoPart, 0});
    mode_ = Mode::kHeader;
    header_.clear();
    if (Full()) {  // no line is compared any more: the last part gets all that is left
      for (Open& open : stack_) {
        open.boundary.clear();
      }
    }
  }

  /// The innermost part's header ends at `end`, with `lines` LF of the message before it.
  void EndHeader(std::size_t end, std::uint64_t lines) {
    Open& open = stack_.back();
    Part& current = part(open.part);
    current.header.end = end;
    current.body = {end, end};
    open.lines_before = lines;
    mode_ = Mode::kBody;
    SetDefaultType(&current);
    ContentReader(&current).Read(std::string_view(header_).substr(0, current.header.size()));
    OpenContainer();
  }

  void SetDefaultType(Part* current) {
    const bool in_digest = current->parent != kNoPart &&
                           part(current->parent).kind == PartKind::kMultipart &&
                           EqualsIgnoreCase(part(current->parent).subtype, "digest");
    current->type = in_digest ? "MESSAGE" : "TEXT";
    current->subtype = in_digest ? "RFC822" : "PLAIN";
  }

  /// Makes the innermost part a container if its type says so and the limits allow.
  void OpenContainer() {
    Open& open = stack_.back();
    Part& current = part(open.part);
    const bool multipart = EqualsIgnoreCase(current.type, "multipart");
    const bool message =
        EqualsIgnoreCase(current.type, "message") && EqualsIgnoreCase(current.subtype, "rfc822");
    if (!multipart && !message) {
      return;
    }
    if (Full() || stack_.size() >= static_cast<std::size_t>(limits::kMimeDepthMax)) {
      Relabel(&current, "APPLICATION", "OCTET-STREAM");
      return;
    }
    if (message) {
      current.kind = PartKind::kMessage;
      OpenPart(open.part, current.body.begin);
      return;
    }
    open.boundary = BoundaryOf(current.fields.parameters);
    if (open.boundary.empty()) {
      Relabel(&current, "TEXT", "PLAIN");
      return;
    }
    current.kind = PartKind::kMultipart;
    mode_ = Mode::kBetween;
  }

  static void Relabel(Part* current, const char* type, const char* subtype) {
    current->type = type;
    current->subtype = subtype;
    current->fields.parameters.clear();
  }

  /// Ends all parts from the innermost down to `level`, before the line at pos_.
  void CloseDownTo(std::size_t level) {
    if (stack_.size() <= level) {
      return;
    }
    while (mode_ == Mode::kHeader) {  // twice if the cut header is that of a message/rfc822
      CutHeader();
    }
    // One end for all, decided by the innermost, keeps children inside their parents.
    const bool trim = HasBreakSince(part(stack_.back().part).body.begin);
    for (; stack_.size() > level; stack_.pop_back()) {
      const Open& open = stack_.back();
      Part& current = part(open.part);
      current.body.end = trim ? pos_ - line_break_ : pos_;
      current.body_lines = lines_ - (trim ? 1 : 0) - open.lines_before;
    }
  }

  /// A boundary, or the end of the message, stands where the header went on.
  void CutHeader() {
    const bool trim = HasBreakSince(part(stack_.back().part).header.begin);
    EndHeader(trim ? pos_ - line_break_ : pos_, lines_ - (trim ? 1 : 0));
  }

  /// True if the line break that the line at pos_ owns as a boundary lies behind `begin`.
  bool HasBreakSince(std::size_t begin) const {
    return line_break_ > 0 && pos_ - line_break_ >= begin;
  }

  Structure structure_;
  std::vector<Open> stack_;
  std::string header_;             // octets of the innermost part's header so far
  std::size_t header_before_ = 0;  // of them ahead of the present line
  Begun begun_;
  std::size_t pos_ = 0;         // of the present line
  std::size_t line_break_ = 0;  // length of the line break ahead of pos_
  std::uint64_t lines_ = 0;     // LF ahead of pos_
  Mode mode_ = Mode::kHeader;
};

StructureScanner::StructureScanner() : impl_(std::make_unique<Impl>()) {}
StructureScanner::~StructureScanner() = default;

void StructureScanner::Feed(std::string_view octets) {
  impl_->Feed(octets);
}

Structure StructureScanner::Finish() {
  return impl_->Finish();
}

Structure Scan(std::string_view message) {
  StructureScanner scanner;
  scanner.Feed(message);
  return scanner.Finish();
}

}  // namespace twinspool::mime
