#include "server/imap/parse_append.h"

#include <utility>

#include "common/limits.h"
#include "server/imap/date.h"
#include "server/imap/parse_parts.h"
#include "server/imap/parser.h"

namespace twinspool::imap {
namespace {

// "APPEND SP", or "[UID SP] REPLACE SP number SP" behind the tag.
Status SkipToMailbox(Cursor* in, std::string_view line, std::optional<ReplaceTarget>* target) {
  ASSIGN_OR_RETURN(CommandHead head, ParseHead(line));
  in->Skip(head.arguments_at);
  TRY(in->Space());
  const bool uid = head.verb == "UID";
  if (uid) {
    ASSIGN_OR_RETURN(head.verb, in->Word());
    TRY(in->Space());
  }
  if (head.verb == "APPEND" && !uid) {
    return OkStatus();
  }
  if (head.verb != "REPLACE") {
    return InvalidArgument("unknown command");
  }
  target->emplace().uid = uid;
  if (!in->TryChar('*')) {
    ASSIGN_OR_RETURN((*target)->number, in->NzNumber());
  }
  return in->Space();
}

class StretchParser {
 public:
  StretchParser(const CommandText& text, bool literal_follows, bool utf8_names)
      : text_(text), in_(text, utf8_names), literal_follows_(literal_follows) {}

  Result<AppendStretch> Run(AppendPlace from) {
    TRY(Begin(from));
    return std::move(stretch_);
  }

 private:
  Status Begin(AppendPlace from) {
    switch (from) {
      case AppendPlace::kStart:
        TRY(SkipToMailbox(&in_, text_.line, &stretch_.replaces));
        { ASSIGN_OR_RETURN(stretch_.mailbox, in_.Mailbox()); }
        TRY(in_.Space());
        return Message();
      case AppendPlace::kMessage:
        return BehindMessage();
      case AppendPlace::kUtf8:
        if (!in_.TryChar(')')) {
          return InvalidArgument("expected ')' behind a message sent as UTF8");
        }
        return BehindMessage();
      case AppendPlace::kCatenate:
        return BehindPiece();
    }
    return OkStatus();
  }

  Status BehindMessage() {
    if (in_.AtEnd() && !literal_follows_) {
      return OkStatus();
    }
    if (!literal_follows_ && !in_.Follows(" ")) {
      return NoMessage();
    }
    TRY(in_.Space());
    return Message();
  }

  // [flags SP] ["date" SP], then what the message is made of.
  Status Message() {
    AppendMessageBegin message;
    if (in_.Peek() == '(') {
      ASSIGN_OR_RETURN(message.flags, ParseFlagList(&in_));
      TRY(in_.Space());
    }
    if (in_.Peek() == '"') {
      Status expected = in_.Expected("a date-time such as \"17-Jul-1996 02:44:25 -0700\"");
      ASSIGN_OR_RETURN(const std::string text, in_.String());
      message.date = ParseDateTime(text);
      if (!message.date) {
        return expected;
      }
      TRY(in_.Space());
    }
    if (in_.TryWord("CATENATE")) {
      message.catenate = true;
      stretch_.steps.emplace_back(std::move(message));
      TRY(in_.Space());
      TRY(in_.Expect('('));
      return Pieces();
    }
    const bool utf8 = in_.TryWord("UTF8");
    if (utf8) {
      TRY(in_.Space());
      TRY(in_.Expect('('));
    }
    stretch_.steps.emplace_back(std::move(message));
    return Literal(AppendLiteral::kMessage, utf8 ? AppendPlace::kUtf8 : AppendPlace::kMessage);
  }

  // Up to the ')' behind the last one, or to a literal.
  Status Pieces() {
    while (!in_.TryWord("TEXT")) {
      if (!in_.TryWord("URL")) {
        return in_.Expected("TEXT or URL");
      }
      TRY(in_.Space());
      if (in_.AtEnd() && literal_follows_) {
        stretch_.literal = AppendLiteral::kUrl;
        return OkStatus();
      }
      CatenateUrl url;
      ASSIGN_OR_RETURN(url.url, in_.Astring());
      stretch_.steps.emplace_back(std::move(url));
      if (in_.TryChar(')')) {
        return BehindMessage();
      }
      TRY(in_.Space());
    }
    TRY(in_.Space());
    return Literal(AppendLiteral::kText, AppendPlace::kCatenate);
  }

  Status BehindPiece() {
    if (in_.TryChar(')')) {
      return BehindMessage();
    }
    TRY(in_.Space());
    return Pieces();
  }

  Status Literal(AppendLiteral what, AppendPlace behind) {
    if (!literal_follows_ && what == AppendLiteral::kMessage) {
      return NoMessage();
    }
    if (!in_.AtEnd()) {
      return in_.Expected(
          what == AppendLiteral::kText ? "a literal" : "flags, a date or the message as a literal");
    }
    if (!literal_follows_) {
      return in_.Expected("a literal");
    }
    stretch_.literal = what;
    stretch_.place = behind;
    return OkStatus();
  }

  static Status NoMessage() {
    return InvalidArgument("expected the end of APPEND or another message");
  }

  const CommandText& text_;
  Cursor in_;
  const bool literal_follows_;
  AppendStretch stretch_;
};

}  // namespace

std::optional<std::size_t> AppendMailboxAt(std::string_view line) {
  const CommandText text{std::string(line), {}};
  Cursor in(text, false);
  std::optional<ReplaceTarget> target;
  return SkipToMailbox(&in, line, &target).ok() ? std::optional(in.position()) : std::nullopt;
}

Result<AppendStretch> ParseAppendStretch(const CommandText& text, AppendPlace from,
                                         bool literal_follows, bool utf8_names) {
  return StretchParser(text, literal_follows, utf8_names).Run(from);
}

}  // namespace twinspool::imap
