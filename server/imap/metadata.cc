#include "server/imap/metadata.h"

#include <algorithm>
#include <set>

#include "server/imap/response.h"

namespace twinspool::imap {
namespace {

bool Matches(std::string_view entry, std::string_view asked, MetadataDepth depth) {
  if (entry == asked) {
    return true;
  }
  if (depth == MetadataDepth::kSelf || !entry.starts_with(asked) || entry[asked.size()] != '/') {
    return false;
  }
  return depth == MetadataDepth::kAll || entry.find('/', asked.size() + 1) == entry.npos;
}

}  // namespace

MetadataAnswer SelectMetadata(const std::vector<Annotation>& all,
                              const std::vector<std::string>& entries, MetadataDepth depth,
                              std::optional<std::uint32_t> size_max) {
  MetadataAnswer answer;
  for (const Annotation& one : all) {
    const bool wanted = std::any_of(entries.begin(), entries.end(), [&](const std::string& asked) {
      return Matches(one.entry, asked, depth);
    });
    if (wanted && size_max && one.value->size() > *size_max) {
      answer.longest = std::max<std::uint64_t>(answer.longest, one.value->size());
    } else if (wanted) {
      answer.entries.push_back(one);
    }
  }
  if (depth != MetadataDepth::kSelf) {
    return answer;
  }
  for (const std::string& asked : std::set<std::string>(entries.begin(), entries.end())) {
    const bool there = std::any_of(all.begin(), all.end(),
                                   [&](const Annotation& one) { return one.entry == asked; });
    if (!there) {
      answer.entries.push_back({asked, std::nullopt});
    }
  }
  return answer;
}

void AddSpecialUse(SpecialUse use, std::vector<Annotation>* all) {
  if (use == 0) {
    return;
  }
  Annotation entry{std::string(kSpecialUseEntry), std::string()};
  AppendSpecialUse(&*entry.value, use);
  const auto place =
      std::lower_bound(all->begin(), all->end(), entry,
                       [](const Annotation& a, const Annotation& b) { return a.entry < b.entry; });
  all->insert(place, std::move(entry));
}

void AppendMetadata(std::string* out, std::string_view name, bool utf8_names,
                    const std::vector<Annotation>& entries) {
  if (entries.empty()) {
    return;
  }
  *out += "* METADATA ";
  if (name.empty()) {
    *out += "\"\"";
  } else {
    AppendMailbox(out, name, utf8_names);
  }
  std::string_view separator = " (";
  for (const Annotation& one : entries) {
    AppendAstring(&(*out += separator), one.entry);
    *out += ' ';
    if (one.value && one.value->find('\0') != std::string::npos) {
      // NUL may stand in a literal8 only (RFC 5464 §5).
      AppendLiteralHead(&(*out += '~'), one.value->size());
      *out += *one.value;
    } else if (one.value) {
      AppendString(out, *one.value);
    } else {
      *out += "NIL";
    }
    separator = " ";
  }
  *out += ")\r\n";
}

}  // namespace twinspool::imap
