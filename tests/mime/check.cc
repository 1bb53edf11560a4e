#include "tests/mime/check.h"

#include <algorithm>

#include "common/limits.h"
#include "server/mime/bodystructure.h"
#include "server/mime/envelope.h"
#include "server/mime/section.h"
#include "server/mime/summary.h"
#include "server/mime/text.h"

namespace twinspool::mime {
namespace {

std::string At(PartIndex index, std::string_view what) {
  return "part " + std::to_string(index) + ": " + std::string(what);
}

bool Inside(const Range& inner, const Range& outer) {
  return outer.begin <= inner.begin && inner.begin <= inner.end && inner.end <= outer.end;
}

std::string RangeFault(const Part& part, std::string_view message) {
  if (part.header.begin > part.header.end || part.header.end != part.body.begin ||
      part.body.begin > part.body.end || part.body.end > message.size()) {
    return "ranges out of order";
  }
  const std::string_view body = part.body.Of(message);
  if (static_cast<std::uint64_t>(std::count(body.begin(), body.end(), '\n')) != part.body_lines) {
    return "wrong line count";
  }
  if (part.type.empty()) {
    return "no type";
  }
  return "";
}

std::string ChildrenFault(const Structure& structure, PartIndex index) {
  const Part& part = structure.at(index);
  std::size_t floor = part.body.begin;
  PartIndex previous = index;
  for (PartIndex i = part.first_child; i != kNoPart; i = structure.at(i).next_sibling) {
    const Part& child = structure.at(i);
    if (child.parent != index || i <= previous) {
      return "children badly linked";
    }
    if (child.header.begin < floor || !Inside({child.header.begin, child.body.end}, part.body)) {
      return "child outside of its place";
    }
    floor = child.body.end;
    previous = i;
  }
  return "";
}

std::string KindFault(const Structure& structure, const Part& part) {
  if (part.kind == PartKind::kLeaf && part.first_child != kNoPart) {
    return "leaf with children";
  }
  if (part.kind != PartKind::kMessage) {
    return "";
  }
  if (part.first_child == kNoPart) {
    return "message/rfc822 without a message";
  }
  const Part& root = structure.at(part.first_child);
  const Range whole = {root.header.begin, root.body.end};
  return root.next_sibling == kNoPart && whole == part.body ? "" : "nested message is not the body";
}

int DepthOf(const Structure& structure, PartIndex index) {
  int depth = 0;
  for (; index != kNoPart; index = structure.at(index).parent) {
    ++depth;
  }
  return depth;
}

bool SamePart(const Part& a, const Part& b) {
  return a.kind == b.kind && a.parent == b.parent && a.first_child == b.first_child &&
         a.next_sibling == b.next_sibling && a.header == b.header && a.body == b.body &&
         a.body_lines == b.body_lines && a.type == b.type && a.subtype == b.subtype &&
         a.fields.encoding == b.fields.encoding && a.fields.id == b.fields.id;
}

/// It is the same when the message comes in pieces of 1 to `longest` octets.
bool SameInPieces(const Structure& structure, std::string_view message, std::size_t longest) {
  StructureScanner scanner;
  for (std::size_t length = 1; !message.empty(); length = length % longest + 1) {
    scanner.Feed(message.substr(0, length));
    message.remove_prefix(std::min(length, message.size()));
  }
  const Structure again = scanner.Finish();
  return std::equal(structure.parts.begin(), structure.parts.end(), again.parts.begin(),
                    again.parts.end(), SamePart);
}

/// One string, number or NIL at *pos; false if there is none.
bool SkipAtom(std::string_view wire, std::size_t* pos) {
  if (wire[*pos] == '"') {
    for (++*pos; *pos < wire.size() && wire[*pos] != '"'; ++*pos) {
      const auto c = static_cast<unsigned char>(wire[*pos]);
      if (c == '\r' || c == '\n' || c == 0 || c >= 0x80) {
        return false;
      }
      *pos += c == '\\' ? 1 : 0;
    }
    return (*pos)++ < wire.size();
  }
  if (wire[*pos] == '{') {
    const std::size_t close = wire.find("}\r\n", *pos);
    if (close == std::string_view::npos) {
      return false;
    }
    const std::size_t size = std::stoul(std::string(wire.substr(*pos + 1, close - *pos - 1)));
    const bool clean = wire.substr(close + 3, size).find('\0') == std::string_view::npos;
    *pos = close + 3 + size;
    return clean && *pos <= wire.size();
  }
  if (wire.substr(*pos, 3) == "NIL") {
    *pos += 3;
    return true;
  }
  const std::size_t start = *pos;
  while (*pos < wire.size() && wire[*pos] >= '0' && wire[*pos] <= '9') {
    ++*pos;
  }
  return *pos > start;
}

std::string SectionFault(const Structure& structure, std::string_view message, PartIndex index) {
  const std::vector<std::uint32_t> numbers = NumbersOf(structure, index);
  if (numbers.empty()) {
    return "";
  }
  const Part& part = structure.at(index);
  const auto all = ResolveSection(structure, message, {numbers, SectionKind::kAll, {}});
  const auto mime = ResolveSection(structure, message, {numbers, SectionKind::kMime, {}});
  if (!all || !mime || all->range != part.body || mime->range != part.header) {
    return "BODY[n] or BODY[n.MIME] is not the part";
  }
  const auto header = ResolveSection(structure, message, {numbers, SectionKind::kHeader, {}});
  const auto text = ResolveSection(structure, message, {numbers, SectionKind::kText, {}});
  if (part.kind != PartKind::kMessage) {
    return header || text ? "HEADER or TEXT of a part that is no message" : "";
  }
  if (!header || !text ||
      std::string(header->Octets(message)) + std::string(text->Octets(message)) !=
          part.body.Of(message)) {
    return "nested HEADER and TEXT are not the nested message";
  }
  return "";
}

std::string RootSectionFault(const Structure& structure, std::string_view message) {
  const auto header = ResolveSection(structure, message, {{}, SectionKind::kHeader, {}});
  const auto text = ResolveSection(structure, message, {{}, SectionKind::kText, {}});
  const auto all = ResolveSection(structure, message, {{}, SectionKind::kAll, {}});
  if (!header || !text || !all || all->Octets(message) != message ||
      std::string(header->Octets(message)) + std::string(text->Octets(message)) != message) {
    return "HEADER and TEXT are not the message";
  }
  const std::string_view block = header->Octets(message);
  const std::string rest = FilterHeader(block, {"subject", "from"}, false);
  const std::string picked = FilterHeader(block, {"Subject", "FROM"}, true);
  const bool whole =
      block.ends_with("\n\n") || block.ends_with("\n\r\n") || block == "\r\n" || block == "\n";
  if (whole && rest.size() + picked.size() - (block.ends_with("\r\n") ? 2 : 1) != block.size()) {
    return "filtered headers do not add up";
  }
  return "";
}

std::string FoldedFault(std::string_view message) {
  const std::string folded = FoldedText(message);
  if (folded.size() > limits::kFoldedTextBytesMax) {
    return "folded text over its bound";
  }
  if (std::count(folded.begin(), folded.end(), '\x1d') != 1) {
    return "folded text without exactly one end of header";
  }
  return "";
}

}  // namespace

std::vector<std::uint32_t> NumbersOf(const Structure& structure, PartIndex index) {
  const auto is_message_root = [&](PartIndex i) {
    const PartIndex parent = structure.at(i).parent;
    return parent == kNoPart || structure.at(parent).kind == PartKind::kMessage;
  };
  std::vector<std::uint32_t> numbers;
  const bool multipart_root =
      is_message_root(index) && structure.at(index).kind == PartKind::kMultipart;
  for (PartIndex i = multipart_root ? kNoPart : index; i != kNoPart; i = structure.at(i).parent) {
    if (is_message_root(i)) {
      if (structure.at(i).kind != PartKind::kMultipart) {
        numbers.push_back(1);
      }
      continue;
    }
    std::uint32_t number = 1;
    for (PartIndex s = structure.at(structure.at(i).parent).first_child; s != i;
         s = structure.at(s).next_sibling) {
      ++number;
    }
    numbers.push_back(number);
  }
  std::reverse(numbers.begin(), numbers.end());
  return numbers;
}

std::string StructureFault(const Structure& structure, std::string_view message) {
  for (const std::size_t longest : {1U, 3U, 1000U}) {
    if (!SameInPieces(structure, message, longest)) {
      return "another structure when it comes in pieces";
    }
  }
  if (structure.parts.empty() ||
      structure.parts.size() > static_cast<std::size_t>(limits::kMimePartsMax)) {
    return "number of parts";
  }
  if (structure.root().header.begin != 0 || structure.root().body.end != message.size()) {
    return "the root is not the whole message";
  }
  for (PartIndex i = 0; i < static_cast<PartIndex>(structure.parts.size()); ++i) {
    const Part& part = structure.at(i);
    std::string fault = RangeFault(part, message);
    fault = fault.empty() ? ChildrenFault(structure, i) : fault;
    fault = fault.empty() ? KindFault(structure, part) : fault;
    if (fault.empty() && (i == 0) != (part.parent == kNoPart)) {
      fault = "an orphan";
    }
    if (fault.empty() && DepthOf(structure, i) > limits::kMimeDepthMax) {
      fault = "too deep";
    }
    if (!fault.empty()) {
      return At(i, fault);
    }
  }
  return "";
}

int ListLength(std::string_view wire) {
  int depth = 0;
  int count = 0;
  for (std::size_t pos = 0; pos < wire.size();) {
    const bool top = depth == 1;
    if (wire[pos] == ' ') {
      ++pos;
    } else if (wire[pos] == '(') {
      count += top ? 1 : 0;
      ++depth;
      ++pos;
    } else if (wire[pos] == ')') {
      ++pos;
      if (--depth <= 0) {
        return depth == 0 && pos == wire.size() ? count : -1;
      }
    } else {
      count += top ? 1 : 0;
      if (depth < 1 || !SkipAtom(wire, &pos)) {
        return -1;
      }
    }
  }
  return -1;
}

std::string DerivedFault(const Structure& structure, std::string_view message) {
  const Result<Summary> summary = ParseSummary(Summarize(message));
  if (!summary.ok()) {
    return "the summary does not come back";
  }
  if (ListLength(summary->envelope) != 10) {
    return "the envelope is no list of ten";
  }
  if (ListLength(summary->body) < 2 || ListLength(summary->body_structure) < 2) {
    return "BODY or BODYSTRUCTURE is no list";
  }
  if (summary->header_bytes != structure.root().header.size()) {
    return "header length of the summary";
  }
  std::string fault = RootSectionFault(structure, message);
  const auto parts = static_cast<PartIndex>(std::min<std::size_t>(structure.parts.size(), 200));
  for (PartIndex i = 0; i < parts && fault.empty(); ++i) {
    fault = SectionFault(structure, message, i);
  }
  return fault.empty() ? FoldedFault(message) : fault;
}

}  // namespace twinspool::mime
