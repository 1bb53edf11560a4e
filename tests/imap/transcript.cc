// Events as text.
#include "tests/imap/transcript.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "common/check.h"
#include "server/imap/reader.h"

namespace twinspool::imap {
namespace {

std::string Quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f || c == '\'') {
      static constexpr char kHex[] = "0123456789abcdef";
      out += {'\\', kHex[octet >> 4], kHex[octet & 15]};
    } else {
      out += c;
    }
  }
  return out + "'";
}

// "NAME key=value key=value …", values left out when they are at rest.
class Shown {
 public:
  explicit Shown(std::string_view name) : text_(name) {}
  Shown& Text(std::string_view key, std::string_view value) { return Raw(key, Quote(value)); }
  Shown& Raw(std::string_view key, std::string_view value) {
    text_ += ' ';
    text_ += key;
    text_ += '=';
    text_ += value;
    return *this;
  }
  Shown& Number(std::string_view key, std::uint64_t value) {
    return value == 0 ? *this : Raw(key, std::to_string(value));
  }
  Shown& Flag(std::string_view key, bool value) {
    if (value) {
      text_ += ' ';
      text_ += key;
    }
    return *this;
  }
  std::string Done() { return std::move(text_); }

 private:
  std::string text_;
};

std::string Text(const SequenceSet& set) {
  std::string out = set.saved ? "$" : "";
  const auto number = [](std::uint32_t n) { return n == kStar ? "*" : std::to_string(n); };
  for (const SequenceRange& range : set.ranges) {
    out += out.empty() ? "" : ",";
    out += number(range.first);
    if (range.last != range.first) {
      out += ":" + number(range.last);
    }
  }
  return out;
}

std::string Text(const FlagList& flags) {
  std::string out = std::to_string(flags.system);
  for (const std::string& keyword : flags.keywords) {
    out += "+" + keyword;
  }
  return out;
}

std::string Text(const FetchItem& item) {
  static constexpr std::string_view kNames[] = {
      "FLAGS",         "UID",      "INTERNALDATE", "ENVELOPE",      "SIZE",        "BODY",
      "BODYSTRUCTURE", "SECTION",  "RFC822",       "RFC822.HEADER", "RFC822.TEXT", "MODSEQ",
      "EMAILID",       "THREADID", "SAVEDATE",     "PREVIEW",       "BINARY",      "BINARY.SIZE"};
  static constexpr std::string_view kTexts[] = {"",           "HEADER", "FIELDS",
                                                "FIELDS.NOT", "TEXT",   "MIME"};
  std::string out(kNames[static_cast<std::size_t>(item.attribute)]);
  if (item.attribute != FetchAttribute::kBodySection && item.attribute != FetchAttribute::kBinary &&
      item.attribute != FetchAttribute::kBinarySize) {
    return out;
  }
  out += item.peek ? ".PEEK[" : "[";
  for (const std::uint32_t part : item.section.part) {
    out += std::to_string(part) + ".";
  }
  out += kTexts[static_cast<std::size_t>(item.section.text)];
  for (const std::string& field : item.section.fields) {
    out += " " + Quote(field);
  }
  out += "]";
  if (item.partial) {
    out += "<" + std::to_string(item.partial->offset) + "." + std::to_string(item.partial->length) +
           ">";
  }
  return out;
}

std::string Body(const cmd::Capability& /*c*/) {
  return "CAPABILITY";
}
std::string Body(const cmd::Noop& /*c*/) {
  return "NOOP";
}
std::string Body(const cmd::Logout& /*c*/) {
  return "LOGOUT";
}
std::string Body(const cmd::StartTls& /*c*/) {
  return "STARTTLS";
}
std::string Body(const cmd::Namespace& /*c*/) {
  return "NAMESPACE";
}
std::string Body(const cmd::Unauthenticate& /*c*/) {
  return "UNAUTHENTICATE";
}
std::string Body(const cmd::Idle& /*c*/) {
  return "IDLE";
}
std::string Body(const cmd::Check& /*c*/) {
  return "CHECK";
}
std::string Body(const cmd::Close& /*c*/) {
  return "CLOSE";
}
std::string Body(const cmd::Unselect& /*c*/) {
  return "UNSELECT";
}

std::string Body(const cmd::Id& c) {
  Shown line("ID");
  for (const auto& [field, value] : c.fields) {
    line.Raw(Quote(field), value ? Quote(*value) : "NIL");
  }
  return line.Done();
}

std::string Body(const cmd::Login& c) {
  return Shown("LOGIN").Text("user", c.user).Text("password", c.password).Done();
}

std::string Body(const cmd::Authenticate& c) {
  Shown line("AUTHENTICATE");
  line.Raw("mechanism", c.mechanism);
  if (c.initial_response) {
    line.Text("initial", *c.initial_response);
  }
  return line.Done();
}

std::string Asked(Shown line, const cmd::GetMetadata& c) {
  static constexpr std::string_view kDepths[] = {"0", "1", "infinity"};
  for (const std::string& entry : c.entries) {
    line.Text("entry", entry);
  }
  line.Raw("depth", kDepths[static_cast<std::size_t>(c.depth)]);
  if (c.size_max) {
    line.Raw("maxsize", std::to_string(*c.size_max));
  }
  return line.Done();
}

std::string Body(const cmd::GetMetadata& c) {
  return Asked(std::move(Shown("GETMETADATA").Text("mailbox", c.mailbox)), c);
}

std::string Body(const cmd::SetMetadata& c) {
  Shown line("SETMETADATA");
  line.Text("mailbox", c.mailbox);
  for (const Annotation& change : c.changes) {
    line.Raw(change.entry, change.value ? Quote(*change.value) : "NIL");
  }
  return line.Done();
}

std::string Body(const cmd::Compress& c) {
  return Shown("COMPRESS").Raw("mechanism", c.mechanism).Done();
}

std::string Body(const cmd::Enable& c) {
  std::string out = "ENABLE";
  for (const std::string& extension : c.extensions) {
    out += " " + extension;
  }
  return out;
}

std::string Body(const cmd::Select& c) {
  Shown line(c.examine ? "EXAMINE" : "SELECT");
  line.Text("mailbox", c.mailbox).Flag("condstore", c.condstore);
  if (c.qresync) {
    line.Number("uidvalidity", c.qresync->uid_validity.value())
        .Number("modseq", c.qresync->modseq.value());
    if (c.qresync->known_uids) {
      line.Raw("known", c.qresync->known_uids->ToString());
    }
    if (!c.qresync->match_uids.empty()) {
      line.Raw("match",
               c.qresync->match_sequence.ToString() + "/" + c.qresync->match_uids.ToString());
    }
  }
  return line.Done();
}

std::string Body(const cmd::Create& c) {
  return Shown("CREATE")
      .Text("mailbox", c.mailbox)
      .Number("use", c.use)
      .Flag("unknown_use", c.unknown_use)
      .Done();
}

std::string Body(const cmd::Delete& c) {
  return Shown("DELETE").Text("mailbox", c.mailbox).Done();
}

std::string Body(const cmd::Rename& c) {
  return Shown("RENAME").Text("from", c.from).Text("to", c.to).Done();
}

std::string Body(const cmd::Subscribe& c) {
  return Shown(c.subscribed ? "SUBSCRIBE" : "UNSUBSCRIBE").Text("mailbox", c.mailbox).Done();
}

std::string Body(const cmd::List& c) {
  Shown line("LIST");
  line.Flag("extended", c.extended).Number("select", c.select).Text("reference", c.reference);
  for (const std::string& pattern : c.patterns) {
    line.Text("pattern", pattern);
  }
  line.Number("returns", c.returns).Number("status", c.status);
  return c.metadata.entries.empty() ? line.Done() : Asked(std::move(line), c.metadata);
}

std::string Body(const cmd::Lsub& c) {
  return Shown("LSUB").Text("reference", c.reference).Text("pattern", c.pattern).Done();
}

std::string Body(const cmd::Status& c) {
  return Shown("STATUS").Text("mailbox", c.mailbox).Number("items", c.items).Done();
}

std::string Body(const cmd::Expunge& c) {
  Shown line("EXPUNGE");
  if (c.uids) {
    line.Raw("uids", Text(*c.uids));
  }
  return line.Done();
}

std::string Text(const PartialRange& range) {
  return (range.from_end ? "-" : "") + std::to_string(range.first) + ":" +
         std::to_string(range.last);
}

std::string Searching(Shown line, const cmd::Search& c) {
  line.Flag("uid", c.uid).Flag("esearch", c.esearch).Number("returns", c.returns);
  if (c.partial) {
    line.Raw("partial", Text(*c.partial));
  }
  if (!c.charset.empty()) {
    line.Text("charset", c.charset);
  }
  return line.Raw("program", Describe(c.program)).Done();
}

std::string Body(const cmd::Search& c) {
  return Searching(Shown("SEARCH"), c);
}

std::string Body(const cmd::MultiSearch& c) {
  static constexpr std::string_view kScopes[] = {"selected",  "inboxes", "personal",   "subscribed",
                                                 "mailboxes", "subtree", "subtree-one"};
  Shown line("ESEARCH");
  for (const SearchSource& source : c.sources) {
    line.Raw("in", kScopes[static_cast<std::size_t>(source.scope)]);
    for (const std::string& mailbox : source.mailboxes) {
      line.Text("mailbox", mailbox);
    }
  }
  return Searching(std::move(line), c.search);
}

std::string Body(const cmd::Sort& c) {
  static constexpr std::string_view kKeys[] = {"ARRIVAL", "CC", "DATE",        "FROM",     "SIZE",
                                               "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"};
  Shown line("SORT");
  for (const SortCriterion& criterion : c.criteria) {
    line.Raw(criterion.reverse ? "falling" : "rising",
             kKeys[static_cast<std::size_t>(criterion.key)]);
  }
  return Searching(std::move(line), c.search);
}

std::string Body(const cmd::Thread& c) {
  static constexpr std::string_view kNames[] = {"ORDEREDSUBJECT", "REFERENCES", "REFS"};
  Shown line("THREAD");
  line.Raw("by", kNames[static_cast<std::size_t>(c.algorithm)]);
  return Searching(std::move(line), c.search);
}

std::string Body(const cmd::Fetch& c) {
  Shown line("FETCH");
  line.Flag("uid", c.uid).Raw("set", Text(c.set));
  for (const FetchItem& item : c.items) {
    line.Raw("item", Text(item));
  }
  if (c.changed_since) {
    line.Raw("changedsince", std::to_string(*c.changed_since));
  }
  if (c.partial) {
    line.Raw("partial", Text(*c.partial));
  }
  return line.Flag("vanished", c.vanished).Done();
}

std::string Body(const cmd::Store& c) {
  static constexpr std::string_view kChanges[] = {"replace", "add", "remove"};
  Shown line("STORE");
  line.Flag("uid", c.uid).Raw("set", Text(c.set));
  if (c.unchanged_since) {
    line.Raw("unchangedsince", std::to_string(*c.unchanged_since));
  }
  line.Flag(kChanges[static_cast<std::size_t>(c.change)], true).Flag("silent", c.silent);
  return line.Raw("flags", Text(c.flags)).Done();
}

std::string Body(const cmd::Copy& c) {
  return Shown(c.move ? "MOVE" : "COPY")
      .Flag("uid", c.uid)
      .Raw("set", Text(c.set))
      .Text("mailbox", c.mailbox)
      .Done();
}

std::string Show(const NeedContinuation& e) {
  return Shown("+").Text("tag", e.tag).Raw("size", std::to_string(e.size)).Done();
}
std::string Show(const CommandReady& e) {
  return e.command.tag + " " + std::visit([](const auto& c) { return Body(c); }, e.command.body);
}
std::string Show(const AppendBegin& e) {
  if (e.replaces) {
    return e.tag + " REPLACE " + (e.replaces->uid ? "uid=" : "number=") +
           std::to_string(e.replaces->number) + " mailbox=" + Quote(e.mailbox);
  }
  return e.tag + " " + Shown("APPEND").Text("mailbox", e.mailbox).Done();
}
std::string Show(const AppendMessageBegin& e) {
  Shown line("MESSAGE");
  line.Raw("flags", Text(e.flags));
  if (e.date) {
    line.Raw("date", std::to_string(e.date->seconds) + "/" + std::to_string(e.date->zone_minutes));
  }
  return line.Raw("size", std::to_string(e.size))
      .Flag("sync", e.sync)
      .Flag("binary", e.binary)
      .Flag("catenate", e.catenate)
      .Done();
}
std::string Show(const CatenateUrl& e) {
  return Shown("URL").Text("url", e.url).Done();
}
std::string Show(const CatenateText& e) {
  return Shown("TEXT")
      .Raw("size", std::to_string(e.size))
      .Flag("sync", e.sync)
      .Flag("binary", e.binary)
      .Done();
}
std::string Show(const AppendData& e) {
  return Shown("DATA").Text("octets", e.octets).Done();
}
std::string Show(const AppendEnd& e) {
  return e.tag + " END";
}
std::string Show(const LiteralTooBig& e) {
  return Shown("TOOBIG")
      .Text("tag", e.tag)
      .Raw("size", std::to_string(e.size))
      .Flag("sync", e.sync)
      .Flag("message", e.message)
      .Done();
}
std::string Show(const RawLine& e) {
  return Shown("RAW").Text("text", e.text).Done();
}
std::string Show(const BadLine& e) {
  return Shown("BAD").Text("tag", e.tag).Text("text", e.text).Done();
}
std::string Show(const Fatal& e) {
  return Shown("FATAL").Text("text", e.text).Done();
}

// Answers events as a session would, and collects them.
class Driver {
 public:
  explicit Driver(const ReadOptions& options) : options_(options) {
    reader_.set_authenticated(options.authenticated);
    reader_.set_utf8_names(options.utf8_names);
    reader_.set_message_bytes_max(options.message_bytes_max);
  }

  void Feed(std::string_view bytes) {
    reader_.Feed(bytes);
    while (const auto event = reader_.Next()) {
      Take(*event);
    }
  }

  std::vector<std::string> Finish() {
    FlushData();
    return std::move(lines_);
  }

 private:
  void Take(const Event& event) {
    if (const auto* data = std::get_if<AppendData>(&event)) {
      data_ += data->octets;
      return;
    }
    FlushData();
    lines_.push_back(Describe(event));
    if (const auto* ready = std::get_if<CommandReady>(&event)) {
      if (std::holds_alternative<cmd::Authenticate>(ready->command.body) ||
          std::holds_alternative<cmd::Idle>(ready->command.body)) {
        reader_.ReadRawLine();
      }
    }
    const auto* begin = std::get_if<AppendMessageBegin>(&event);
    const bool message =
        begin != nullptr ? !begin->catenate : std::holds_alternative<CatenateText>(event);
    if (options_.refuse_literals && (message || std::holds_alternative<NeedContinuation>(event))) {
      reader_.RefuseLiteral();
    }
    if (options_.discard_messages && message) {
      reader_.DiscardCommand();
    }
  }

  void FlushData() {
    if (!data_.empty()) {
      lines_.push_back(Describe(Event(AppendData{data_})));
      data_.clear();
    }
  }

  const ReadOptions options_;
  CommandReader reader_;
  std::string data_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string Describe(const Event& event) {
  return std::visit([](const auto& e) { return Show(e); }, event);
}

std::string Describe(const SearchKey& key) {
  static constexpr std::string_view kNames[] = {
      "all",     "and",  "or",     "not",     "seq",      "uid",     "flag",    "noflag",
      "kw",      "nokw", "new",    "old",     "recent",   "before",  "on",      "since",
      "sbefore", "son",  "ssince", "older",   "younger",  "larger",  "smaller", "header",
      "body",    "text", "modseq", "emailid", "threadid", "vbefore", "von",     "vsince"};
  std::string out = "(" + std::string(kNames[static_cast<std::size_t>(key.op)]);
  const auto add = [&out](const std::string& text) { out += " " + text; };
  if (!key.set.ranges.empty() || key.set.saved) {
    add(Text(key.set));
  }
  if (key.flags != 0) {
    add(std::to_string(key.flags));
  }
  if (!key.field.empty()) {
    add(Quote(key.field));
  }
  if (!key.text.empty()) {
    add(Quote(key.text));
  }
  if (key.number != 0) {
    add(std::to_string(key.number));
  }
  if (key.day != 0) {
    add(std::to_string(key.day));
  }
  for (const SearchKey& child : key.children) {
    add(Describe(child));
  }
  return out + ")";
}

std::vector<std::string> ReadAll(std::string_view input, std::size_t piece,
                                 const ReadOptions& options) {
  Driver driver(options);
  const std::size_t step = piece == 0 ? input.size() : piece;
  while (!input.empty()) {
    driver.Feed(input.substr(0, step));
    input.remove_prefix(std::min(step, input.size()));
  }
  return driver.Finish();
}

std::vector<std::string> ReadEveryWay(std::string_view input, const ReadOptions& options) {
  std::vector<std::string> whole = ReadAll(input, 0, options);
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 64u}) {
    TWINSPOOL_CHECK(ReadAll(input, piece, options) == whole, "the cut of the input shows");
  }
  return whole;
}

std::string Line(std::string_view line, const ReadOptions& options) {
  std::string joined;
  for (const std::string& event : ReadEveryWay(std::string(line) + "\r\n", options)) {
    joined += joined.empty() ? "" : " | ";
    joined += event;
  }
  return joined;
}

bool IsBad(std::string_view line) {
  const std::vector<std::string> events = ReadEveryWay(std::string(line) + "\r\nb NOOP\r\n");
  return events.size() == 2 && events[0].starts_with("BAD tag='a' ") && events[1] == "b NOOP";
}

}  // namespace twinspool::imap
