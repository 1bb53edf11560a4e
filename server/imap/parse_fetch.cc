// FETCH: items, macros, sections of BODY[…], modifiers.
#include <array>
#include <utility>

#include "common/limits.h"
#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

struct ItemName {
  std::string_view name;
  FetchAttribute attribute;
};

constexpr ItemName kItemNames[] = {
    {"FLAGS", FetchAttribute::kFlags},
    {"UID", FetchAttribute::kUid},
    {"INTERNALDATE", FetchAttribute::kInternalDate},
    {"ENVELOPE", FetchAttribute::kEnvelope},
    {"RFC822.SIZE", FetchAttribute::kRfc822Size},
    {"BODYSTRUCTURE", FetchAttribute::kBodyStructure},
    {"RFC822", FetchAttribute::kRfc822},
    {"RFC822.HEADER", FetchAttribute::kRfc822Header},
    {"RFC822.TEXT", FetchAttribute::kRfc822Text},
    {"MODSEQ", FetchAttribute::kModseq},
    {"EMAILID", FetchAttribute::kEmailId},
    {"THREADID", FetchAttribute::kThreadId},
    {"SAVEDATE", FetchAttribute::kSaveDate},
};

FetchItem Plain(FetchAttribute attribute) {
  FetchItem item;
  item.attribute = attribute;
  return item;
}

// "(name *(SP name))"; header field names are astrings.
Status ParseFieldNames(Cursor* in, Section* section) {
  const auto one = [&]() -> Status {
    ASSIGN_OR_RETURN(std::string field, in->Astring());
    section->fields.push_back(std::move(field));
    return OkStatus();
  };
  TRY(in->Space());
  TRY(ParseParenthesised(in, one));
  return section->fields.empty() ? in->Expected("at least one header field") : OkStatus();
}

Status ParseSectionText(Cursor* in, Section* section) {
  Status unknown =
      in->Expected("HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, or MIME after a part");
  ASSIGN_OR_RETURN(const std::string name, in->Name());
  if (name == "HEADER") {
    section->text = SectionText::kHeader;
  } else if (name == "TEXT") {
    section->text = SectionText::kText;
  } else if (name == "MIME" && !section->part.empty()) {
    section->text = SectionText::kMime;
  } else if (name == "HEADER.FIELDS") {
    section->text = SectionText::kHeaderFields;
    return ParseFieldNames(in, section);
  } else if (name == "HEADER.FIELDS.NOT") {
    section->text = SectionText::kHeaderFieldsNot;
    return ParseFieldNames(in, section);
  } else {
    return unknown;
  }
  return OkStatus();
}

// After '[': "1.2.HEADER]" and the like; part numbers alone when `binary`.
Result<Section> ParseSection(Cursor* in, bool binary) {
  Section section;
  bool text_follows = in->Peek() != ']' && !binary;
  while (IsDigit(in->Peek())) {
    if (section.part.size() == static_cast<std::size_t>(limits::kMimeDepthMax)) {
      return InvalidArgument("a section has at most " + std::to_string(limits::kMimeDepthMax) +
                             " part numbers");
    }
    ASSIGN_OR_RETURN(const std::uint32_t number, in->NzNumber());
    section.part.push_back(number);
    text_follows = in->TryChar('.');
    if (!text_follows) {
      break;
    }
  }
  if (text_follows && binary) {
    return in->Expected("a part number");
  }
  if (text_follows) {
    TRY(ParseSectionText(in, &section));
  }
  TRY(in->Expect(']'));
  return section;
}

// After '<': "offset.length>".
Result<Partial> ParsePartial(Cursor* in) {
  Partial partial;
  ASSIGN_OR_RETURN(partial.offset, in->Number());
  TRY(in->Expect('.'));
  ASSIGN_OR_RETURN(partial.length, in->NzNumber());
  TRY(in->Expect('>'));
  return partial;
}

// BODY or BODY.PEEK, with what follows.
Result<FetchItem> ParseBody(Cursor* in, bool peek) {
  FetchItem item = Plain(FetchAttribute::kBody);
  item.peek = peek;
  if (!in->TryChar('[')) {
    return peek ? Result<FetchItem>(in->Expected("'['")) : Result<FetchItem>(std::move(item));
  }
  item.attribute = FetchAttribute::kBodySection;
  ASSIGN_OR_RETURN(item.section, ParseSection(in, false));
  if (in->TryChar('<')) {
    ASSIGN_OR_RETURN(item.partial, ParsePartial(in));
  }
  return item;
}

// BINARY, BINARY.PEEK or BINARY.SIZE, with what follows (RFC 3516 §4.2).
Result<FetchItem> ParseBinary(Cursor* in, std::string_view name) {
  const bool size = name == "BINARY.SIZE";
  FetchItem item = Plain(size ? FetchAttribute::kBinarySize : FetchAttribute::kBinary);
  item.peek = name == "BINARY.PEEK";
  TRY(in->Expect('['));
  ASSIGN_OR_RETURN(item.section, ParseSection(in, true));
  if (!size && in->TryChar('<')) {
    ASSIGN_OR_RETURN(item.partial, ParsePartial(in));
  }
  return item;
}

// After PREVIEW: "" or " (LAZY)". A preview is at hand always, so LAZY changes nothing.
Result<FetchItem> ParsePreview(Cursor* in) {
  if (in->Follows(" (LAZY")) {
    TRY(in->Space());
    TRY(ParseParenthesised(
        in, [in] { return in->TryWord("LAZY") ? OkStatus() : in->Expected("LAZY"); }));
  }
  return Plain(FetchAttribute::kPreview);
}

Result<FetchItem> ParseItem(Cursor* in) {
  const Status unknown = in->Expected("a FETCH item");
  ASSIGN_OR_RETURN(const std::string name, in->Name());
  if (name == "BINARY" || name == "BINARY.PEEK" || name == "BINARY.SIZE") {
    return ParseBinary(in, name);
  }
  if (name == "PREVIEW") {
    return ParsePreview(in);
  }
  if (name == "BODY" || name == "BODY.PEEK") {
    return ParseBody(in, name != "BODY");
  }
  for (const ItemName& item : kItemNames) {
    if (item.name == name) {
      return Plain(item.attribute);
    }
  }
  return unknown;
}

// ALL, FAST and FULL stand alone in place of a list.
bool TryMacro(Cursor* in, std::vector<FetchItem>* items) {
  using enum FetchAttribute;
  constexpr std::array kOrder = {kFlags, kInternalDate, kRfc822Size, kEnvelope, kBody};
  std::size_t count = 0;
  if (in->TryWord("FAST")) {
    count = 3;
  } else if (in->TryWord("ALL")) {
    count = 4;
  } else if (in->TryWord("FULL")) {
    count = 5;
  }
  for (std::size_t i = 0; i < count; ++i) {
    items->push_back(Plain(kOrder[i]));
  }
  return count > 0;
}

Status AddItem(Cursor* in, std::vector<FetchItem>* items) {
  if (items->size() == limits::kFetchItemsMax) {
    return InvalidArgument("FETCH takes at most " + std::to_string(limits::kFetchItemsMax) +
                           " items");
  }
  ASSIGN_OR_RETURN(FetchItem item, ParseItem(in));
  items->push_back(std::move(item));
  return OkStatus();
}

Status ParseItems(Cursor* in, std::vector<FetchItem>* items) {
  if (TryMacro(in, items)) {
    return OkStatus();
  }
  return in->Peek() == '(' ? ParseFetchItems(in, items) : AddItem(in, items);
}

Status ParseModifier(Cursor* in, cmd::Fetch* fetch) {
  if (in->TryWord("VANISHED")) {
    fetch->vanished = true;
    return OkStatus();
  }
  if (in->TryWord("PARTIAL")) {
    TRY(in->Space());
    ASSIGN_OR_RETURN(fetch->partial, ParsePartialRange(in));
    return OkStatus();
  }
  if (!in->TryWord("CHANGEDSINCE")) {
    return in->Expected("CHANGEDSINCE, VANISHED or PARTIAL");
  }
  TRY(in->Space());
  ASSIGN_OR_RETURN(fetch->changed_since, in->Number63());
  return OkStatus();
}

}  // namespace

Status ParseFetchItems(Cursor* in, std::vector<FetchItem>* items) {
  TRY(ParseParenthesised(in, [&] { return AddItem(in, items); }));
  return items->empty() ? in->Expected("at least one FETCH item") : OkStatus();
}

Result<Section> ParseSection(Cursor* in) {
  return ParseSection(in, false);
}

Result<CommandBody> ParseFetch(Cursor* in, bool uid) {
  cmd::Fetch fetch;
  fetch.uid = uid;
  TRY(in->Space());
  ASSIGN_OR_RETURN(fetch.set, ParseSequenceSet(in));
  TRY(in->Space());
  TRY(ParseItems(in, &fetch.items));
  if (in->TryChar(' ')) {
    TRY(ParseParenthesised(in, [&] { return ParseModifier(in, &fetch); }));
  }
  if (fetch.vanished && (!uid || !fetch.changed_since)) {
    return InvalidArgument("VANISHED is for UID FETCH with CHANGEDSINCE");
  }
  if (fetch.partial && !uid) {
    return InvalidArgument("PARTIAL is for UID FETCH");
  }
  return CommandBody(std::move(fetch));
}

}  // namespace twinspool::imap
