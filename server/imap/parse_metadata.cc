// GETMETADATA and SETMETADATA (RFC 5464).
#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

/// An entry name: "/private/…" or "/shared/…", in lower case (RFC 5464 §3.1); where one is asked
/// for, also what stands above all of them.
Status ParseEntryName(Cursor* in, bool asked, std::string* name) {
  ASSIGN_OR_RETURN(std::string text, in->Astring());
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  const bool scoped = text.starts_with("/private/") || text.starts_with("/shared/") ||
                      (asked && (text == "/private" || text == "/shared"));
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    return c < 0x20 || c >= 0x7f || c == '*' || c == '%';
  });
  if (!scoped || !plain || text.ends_with('/') || text.find("//") != text.npos) {
    return InvalidArgument("an entry is /private/ or /shared/ and levels without '*' and '%'");
  }
  if (text.size() > limits::kAnnotationNameBytesMax) {
    return InvalidArgument("an entry name has at most " +
                           std::to_string(limits::kAnnotationNameBytesMax) + " octets");
  }
  *name = std::move(text);
  return OkStatus();
}

Status AddEntry(Cursor* in, std::vector<std::string>* entries) {
  if (entries->size() == limits::kAnnotationsPerCommandMax) {
    return InvalidArgument("too many entries in one command");
  }
  return ParseEntryName(in, true, &entries->emplace_back());
}

/// "MAXSIZE n" or "DEPTH 0|1|infinity".
Status ParseOption(Cursor* in, cmd::GetMetadata* get) {
  if (in->TryWord("MAXSIZE")) {
    TRY(in->Space());
    ASSIGN_OR_RETURN(get->size_max, in->Number());
    return OkStatus();
  }
  if (!in->TryWord("DEPTH")) {
    return in->Expected("MAXSIZE or DEPTH");
  }
  TRY(in->Space());
  if (in->TryWord("INFINITY")) {
    get->depth = MetadataDepth::kAll;
  } else if (in->TryWord("1")) {
    get->depth = MetadataDepth::kOne;
  } else if (!in->TryWord("0")) {
    return in->Expected("0, 1 or infinity");
  }
  return OkStatus();
}

Status ParseChange(Cursor* in, cmd::SetMetadata* set) {
  if (set->changes.size() == limits::kAnnotationsPerCommandMax) {
    return InvalidArgument("too many entries in one command");
  }
  Annotation& change = set->changes.emplace_back();
  TRY(ParseEntryName(in, false, &change.entry));
  TRY(in->Space());
  ASSIGN_OR_RETURN(change.value, in->Nstring());
  return OkStatus();
}

}  // namespace

Status ParseMetadataEntries(Cursor* in, std::vector<std::string>* entries) {
  if (in->Peek() != '(') {
    return AddEntry(in, entries);
  }
  TRY(ParseParenthesised(in, [&] { return AddEntry(in, entries); }));
  return entries->empty() ? in->Expected("at least one entry") : OkStatus();
}

Status ParseMetadataOptions(Cursor* in, cmd::GetMetadata* get) {
  return ParseParenthesised(in, [&] { return ParseOption(in, get); });
}

Result<CommandBody> ParseGetMetadata(Cursor* in) {
  cmd::GetMetadata get;
  TRY(in->Space());
  if (in->Peek() == '(') {
    TRY(ParseMetadataOptions(in, &get));
    TRY(in->Space());
  }
  ASSIGN_OR_RETURN(get.mailbox, in->Mailbox());
  TRY(in->Space());
  TRY(ParseMetadataEntries(in, &get.entries));
  return CommandBody(std::move(get));
}

Result<CommandBody> ParseSetMetadata(Cursor* in) {
  cmd::SetMetadata set;
  TRY(in->Space());
  ASSIGN_OR_RETURN(set.mailbox, in->Mailbox());
  TRY(in->Space());
  TRY(ParseParenthesised(in, [&] { return ParseChange(in, &set); }));
  return set.changes.empty() ? Result<CommandBody>(in->Expected("at least one entry"))
                             : Result<CommandBody>(CommandBody(std::move(set)));
}

}  // namespace twinspool::imap
