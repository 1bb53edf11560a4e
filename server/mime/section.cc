#include "server/mime/section.h"

#include <algorithm>
#include <unordered_set>

#include "server/mime/ascii.h"
#include "server/mime/header.h"

namespace twinspool::mime {
namespace {

/// The child with that number, 1 the first.
PartIndex NthChild(const Structure& structure, const Part& part, std::uint32_t number) {
  PartIndex child = number == 0 ? kNoPart : part.first_child;
  for (; child != kNoPart && number > 1; --number) {
    child = structure.at(child).next_sibling;
  }
  return child;
}

/// The part `number` of the message (or nested message) whose root is `root`.
PartIndex PartOfMessage(const Structure& structure, PartIndex root, std::uint32_t number) {
  if (structure.at(root).kind == PartKind::kMultipart) {
    return NthChild(structure, structure.at(root), number);
  }
  return number == 1 ? root : kNoPart;
}

PartIndex Step(const Structure& structure, PartIndex index, std::uint32_t number) {
  const Part& part = structure.at(index);
  switch (part.kind) {
    case PartKind::kMultipart:
      return NthChild(structure, part, number);
    case PartKind::kMessage:
      return PartOfMessage(structure, part.first_child, number);
    case PartKind::kLeaf:
      break;
  }
  return kNoPart;
}

/// BODYSTRUCTURE shows an empty part 1 in a multipart that has none; this is it.
bool NamesInventedPart(const Structure& structure, const SectionSpec& spec) {
  if (spec.part.empty() || spec.part.back() != 1) {
    return false;
  }
  const std::vector<std::uint32_t> outer(spec.part.begin(), spec.part.end() - 1);
  PartIndex index = FindPart(structure, outer);
  if (index != kNoPart && structure.at(index).kind == PartKind::kMessage) {
    index = structure.at(index).first_child;
  }
  return index != kNoPart && structure.at(index).kind == PartKind::kMultipart &&
         structure.at(index).first_child == kNoPart;
}

/// The root of the message that HEADER and TEXT speak of, or kNoPart.
PartIndex MessageRoot(const Structure& structure, const SectionSpec& spec, PartIndex index) {
  if (spec.part.empty()) {
    return 0;
  }
  const Part& part = structure.at(index);
  return part.kind == PartKind::kMessage ? part.first_child : kNoPart;
}

SectionData OfRange(const Range& range) {
  return {range, std::nullopt};
}

std::optional<SectionData> OfMessage(const Part& root, std::string_view message,
                                     const SectionSpec& spec) {
  switch (spec.kind) {
    case SectionKind::kHeader:
      return OfRange(root.header);
    case SectionKind::kText:
      return OfRange(root.body);
    case SectionKind::kHeaderFields:
    case SectionKind::kHeaderFieldsNot:
      return SectionData{{},
                         FilterHeader(root.header.Of(message), spec.fields,
                                      spec.kind == SectionKind::kHeaderFields)};
    case SectionKind::kAll:
    case SectionKind::kMime:
      break;
  }
  return std::nullopt;
}

}  // namespace

PartIndex FindPart(const Structure& structure, const std::vector<std::uint32_t>& numbers) {
  if (numbers.empty()) {
    return 0;
  }
  PartIndex index = PartOfMessage(structure, 0, numbers.front());
  for (std::size_t i = 1; i < numbers.size() && index != kNoPart; ++i) {
    index = Step(structure, index, numbers[i]);
  }
  return index;
}

std::optional<SectionData> ResolveSection(const Structure& structure, std::string_view message,
                                          const SectionSpec& spec) {
  const PartIndex index = FindPart(structure, spec.part);
  if (index == kNoPart) {
    const bool empty = NamesInventedPart(structure, spec) &&
                       (spec.kind == SectionKind::kAll || spec.kind == SectionKind::kMime);
    return empty ? std::optional(OfRange({})) : std::nullopt;
  }
  const Part& part = structure.at(index);
  if (spec.kind == SectionKind::kAll) {
    return OfRange(spec.part.empty() ? Range{0, message.size()} : part.body);
  }
  if (spec.kind == SectionKind::kMime) {
    return spec.part.empty() ? std::nullopt : std::optional(OfRange(part.header));
  }
  const PartIndex root = MessageRoot(structure, spec, index);
  return root == kNoPart ? std::nullopt : OfMessage(structure.at(root), message, spec);
}

std::string FilterHeader(std::string_view header_block, const std::vector<std::string>& names,
                         bool keep) {
  std::unordered_set<std::string> wanted;
  for (const std::string& name : names) {
    wanted.insert(Lowercase(name));
  }
  std::string out;
  HeaderIterator fields(header_block);
  HeaderField field;
  while (fields.Next(&field)) {
    if (wanted.contains(Lowercase(field.name)) == keep) {
      out.append(field.raw);
    }
  }
  out.append(fields.rest());
  return out;
}

}  // namespace twinspool::mime
