#include "server/imap/metadata.h"

#include <algorithm>

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
  for (const std::string& asked : entries) {
    bool found = false;
    for (const Annotation& one : all) {
      if (!Matches(one.entry, asked, depth)) {
        continue;
      }
      found = true;
      if (size_max && one.value->size() > *size_max) {
        answer.longest = std::max<std::uint64_t>(answer.longest, one.value->size());
      } else {
        answer.entries.push_back(one);
      }
    }
    if (!found && depth == MetadataDepth::kSelf) {
      answer.entries.push_back({asked, std::nullopt});
    }
  }
  return answer;
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
    if (one.value) {
      AppendString(out, *one.value);
    } else {
      *out += "NIL";
    }
    separator = " ";
  }
  *out += ")\r\n";
}

}  // namespace twinspool::imap
