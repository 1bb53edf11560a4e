// Commands as text.
#include <string>
#include <utility>
#include <variant>

#include "tests/imap/transcript.h"
#include "tests/imap/transcript_words.h"

namespace twinspool::imap {

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

std::string FlagText(const FlagList& flags) {
  std::string out = std::to_string(flags.system);
  for (const std::string& keyword : flags.keywords) {
    out += "+" + keyword;
  }
  return out;
}

namespace {

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
  line.Flag("update", c.update);
  for (const FetchItem& item : c.update_items) {
    line.Raw("item", Text(item));
  }
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

void Where(Shown* line, const SearchSource& source) {
  static constexpr std::string_view kScopes[] = {"selected",  "inboxes", "personal",   "subscribed",
                                                 "mailboxes", "subtree", "subtree-one"};
  line->Raw("in", kScopes[static_cast<std::size_t>(source.scope)]);
  for (const std::string& mailbox : source.mailboxes) {
    line->Text("mailbox", mailbox);
  }
}

std::string Body(const cmd::CancelUpdate& c) {
  Shown line("CANCELUPDATE");
  for (const std::string& tag : c.tags) {
    line.Text("tag", tag);
  }
  return line.Done();
}

std::string Body(const cmd::Notify& c) {
  Shown line("NOTIFY");
  line.Flag("status", c.status).Flag("unknown", c.unknown_event);
  for (const NotifyGroup& group : c.groups) {
    Where(&line, group.which);
    line.Flag("delayed", group.delayed).Number("events", group.events);
    for (const FetchItem& item : group.items) {
      line.Raw("item", Text(item));
    }
  }
  return line.Done();
}

std::string Body(const cmd::MultiSearch& c) {
  Shown line("ESEARCH");
  for (const SearchSource& source : c.sources) {
    Where(&line, source);
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

std::string Body(const cmd::SetAcl& c) {
  static constexpr std::string_view kChanges[] = {"replace", "add", "remove"};
  return Shown(c.erase ? "DELETEACL" : "SETACL")
      .Text("mailbox", c.mailbox)
      .Text("identifier", c.identifier)
      .Flag(kChanges[static_cast<std::size_t>(c.change)], true)
      .Text("rights", RightsText(c.rights))
      .Done();
}
std::string Body(const cmd::GetAcl& c) {
  return Shown("GETACL").Text("mailbox", c.mailbox).Done();
}
std::string Body(const cmd::ListRights& c) {
  return Shown("LISTRIGHTS").Text("mailbox", c.mailbox).Text("identifier", c.identifier).Done();
}
std::string Body(const cmd::MyRights& c) {
  return Shown("MYRIGHTS").Text("mailbox", c.mailbox).Done();
}
std::string Body(const cmd::GetQuota& c) {
  return Shown("GETQUOTA").Text("root", c.root).Done();
}
std::string Body(const cmd::GetQuotaRoot& c) {
  return Shown("GETQUOTAROOT").Text("mailbox", c.mailbox).Done();
}
std::string Body(const cmd::SetQuota& c) {
  return Shown("SETQUOTA").Text("root", c.root).Done();
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
  return line.Raw("flags", FlagText(c.flags)).Done();
}

std::string Body(const cmd::Copy& c) {
  return Shown(c.move ? "MOVE" : "COPY")
      .Flag("uid", c.uid)
      .Raw("set", Text(c.set))
      .Text("mailbox", c.mailbox)
      .Done();
}

}  // namespace

std::string Describe(const Command& command) {
  return std::visit([](const auto& c) { return Body(c); }, command.body);
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

}  // namespace twinspool::imap
