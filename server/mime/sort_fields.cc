#include "server/mime/sort_fields.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/digest.h"
#include "common/limits.h"
#include "server/mime/address.h"
#include "server/mime/ascii.h"
#include "server/mime/encoded_word.h"
#include "server/mime/fold.h"
#include "server/mime/header.h"

namespace twinspool::mime {
namespace {

std::string SortKey(std::string_view utf8) {
  std::string folded;
  FoldInto(utf8, limits::kSortKeyBytesMax, &folded);
  return folded;
}

// --- subjects

/// Blanks, tabs and line breaks as single blanks.
std::string Collapse(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!IsSpace(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  return out;
}

bool EndsWithWord(std::string_view text, std::string_view word) {
  return text.size() >= word.size() &&
         EqualsIgnoreCase(text.substr(text.size() - word.size()), word);
}

bool StartsWithWord(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && EqualsIgnoreCase(text.substr(0, word.size()), word);
}

/// subj-trailer: "(fwd)" and white space.
bool TakeTrailers(std::string_view* text) {
  bool forwarded = false;
  while (true) {
    if (text->ends_with(' ')) {
      text->remove_suffix(1);
    } else if (EndsWithWord(*text, "(fwd)")) {
      text->remove_suffix(5);
      forwarded = true;
    } else {
      return forwarded;
    }
  }
}

/// Length of the subj-blob, "[…]" and white space, at the start of `text`; 0: there is none.
std::size_t BlobLength(std::string_view text) {
  if (!text.starts_with('[')) {
    return 0;
  }
  const std::size_t end = text.find_first_of("[]", 1);
  if (end == text.npos || text[end] == '[') {
    return 0;
  }
  return std::min(text.find_first_not_of(' ', end + 1), text.size());
}

/// Length of subj-refwd, "Re:", "Fw [list]:" and the like, at the start of `text`; 0: none.
std::size_t ReplyMarkLength(std::string_view text) {
  std::size_t at = StartsWithWord(text, "re")    ? 2
                   : StartsWithWord(text, "fwd") ? 3
                   : StartsWithWord(text, "fw")  ? 2
                                                 : 0;
  if (at == 0) {
    return 0;
  }
  at = std::min(text.find_first_not_of(' ', at), text.size());
  at += BlobLength(text.substr(at));
  return at < text.size() && text[at] == ':' ? at + 1 : 0;
}

/// subj-leader: blobs and a mark, or white space. False: there is none.
bool TakeLeader(std::string_view* text, bool* reply) {
  if (text->starts_with(' ')) {
    text->remove_prefix(1);
    return true;
  }
  std::size_t at = 0;
  while (const std::size_t blob = BlobLength(text->substr(at))) {
    at += blob;
  }
  const std::size_t mark = ReplyMarkLength(text->substr(at));
  if (mark == 0) {
    return false;
  }
  *reply = true;
  text->remove_prefix(at + mark);
  return true;
}

/// All blobs at the start; the last of them stays if nothing stands behind it. In one walk, or a
/// row of them would cost the square of its length.
void TakeBlobs(std::string_view* text) {
  std::size_t at = 0;
  std::size_t last = 0;
  while (const std::size_t blob = BlobLength(text->substr(at))) {
    last = at;
    at += blob;
  }
  text->remove_prefix(at < text->size() ? at : last);
}

// --- addresses

/// The first address of the first field of that name; of a group its name stands for the mailbox,
/// as ENVELOPE shows it.
std::optional<Address> FirstAddress(std::string_view header_block, std::string_view name) {
  const std::optional<HeaderField> field = FindField(header_block, name);
  if (!field) {
    return std::nullopt;
  }
  // Only one is wanted: what is far behind it is not looked at.
  const std::string value = Unfold(field->value.substr(0, 4 * limits::kSortKeyBytesMax));
  std::vector<Address> addresses;
  ParseAddressList(value, &addresses);
  if (addresses.empty()) {
    return std::nullopt;
  }
  Address first = std::move(addresses.front());
  if (first.kind == Address::Kind::kGroupStart) {
    first.mailbox = std::exchange(first.name, {});
  }
  return first;
}

std::string DisplayOf(const Address& address) {
  const std::string name = DecodeEncodedWords(address.name);
  if (!name.empty()) {
    return SortKey(name);
  }
  return SortKey(address.host.empty() ? address.mailbox : address.mailbox + "@" + address.host);
}

// --- message ids

MessageIdHash HashOf(std::string_view id) {
  const Guid guid = GuidOf(id);
  MessageIdHash hash;
  std::copy_n(guid.data(), hash.size(), hash.begin());
  return hash;
}

std::vector<MessageIdHash> HashesOf(std::string_view value) {
  std::vector<MessageIdHash> hashes;
  for (const std::string& id : MessageIds(value)) {
    hashes.push_back(HashOf(id));
  }
  return hashes;
}

void ReadMessageIds(std::string_view header_block, SortFields* fields) {
  if (const auto field = FindField(header_block, "Message-ID")) {
    const std::vector<std::string> ids = MessageIds(field->value);
    fields->message_id = ids.empty() ? MessageIdHash{} : HashOf(ids.front());
  }
  if (const auto field = FindField(header_block, "References")) {
    fields->references = HashesOf(field->value);
  }
  if (const auto field = FindField(header_block, "In-Reply-To");
      field && fields->references.empty()) {
    fields->references = HashesOf(field->value);
    fields->references.resize(std::min<std::size_t>(fields->references.size(), 1));
  }
  auto& ids = fields->references;
  if (ids.size() > limits::kReferencesMax) {
    // The first names the thread, the last ones the place in it.
    ids.erase(ids.begin() + 1, ids.end() - (limits::kReferencesMax - 1));
  }
}

}  // namespace

bool IsNone(const MessageIdHash& hash) {
  return hash == MessageIdHash{};
}

std::string BaseSubject(std::string_view decoded, bool* reply) {
  const std::string collapsed = Collapse(decoded);
  std::string_view text = collapsed;
  *reply = false;
  while (true) {
    *reply = TakeTrailers(&text) || *reply;
    while (TakeLeader(&text, reply)) {
    }
    // No mark follows them, and what is left does not begin with a leader either.
    TakeBlobs(&text);
    if (!StartsWithWord(text, "[fwd:") || !text.ends_with(']')) {
      return std::string(text);
    }
    text = text.substr(5, text.size() - 6);
    *reply = true;
  }
}

std::vector<std::string> MessageIds(std::string_view value) {
  value = value.substr(0, limits::kHeaderFieldBytesMax);
  std::vector<std::string> ids;
  for (std::size_t at = value.find('<'); at != value.npos; at = value.find('<', at)) {
    std::string id;
    ++at;
    while (at < value.size() && value[at] != '>' && value[at] != '<') {
      if (value[at] == '"') {
        // A quotation that runs into another id was none: mailers break ids, and cut them.
        const std::size_t end = value.find_first_of("\"<", at + 1);
        if (end == value.npos || value[end] == '<') {
          break;
        }
        ReadQuotedString(value, &at, &id);
      } else if (IsSpace(value[at]) || value[at] == '(') {
        at = SkipCfws(value, at);
      } else {
        id.push_back(value[at++]);
      }
    }
    const std::size_t half = id.rfind('@');
    const bool whole = half != id.npos && half > 0 && half + 1 < id.size();
    if (whole && at < value.size() && value[at] == '>') {
      ids.push_back(std::move(id));
    }
  }
  return ids;
}

SortFields ReadSortFields(std::string_view header_block) {
  SortFields fields;
  if (const auto from = FirstAddress(header_block, "From")) {
    fields.from = SortKey(from->mailbox);
    fields.display_from = DisplayOf(*from);
  }
  if (const auto to = FirstAddress(header_block, "To")) {
    fields.to = SortKey(to->mailbox);
    fields.display_to = DisplayOf(*to);
  }
  if (const auto cc = FirstAddress(header_block, "Cc")) {
    fields.cc = SortKey(cc->mailbox);
  }
  if (const auto subject = FindField(header_block, "Subject")) {
    const std::string decoded = DecodeEncodedWords(Unfold(subject->value));
    fields.subject = SortKey(BaseSubject(decoded, &fields.reply));
  }
  ReadMessageIds(header_block, &fields);
  return fields;
}

void PutSortFields(const SortFields& fields, std::string* out) {
  for (const std::string* text : {&fields.from, &fields.to, &fields.cc, &fields.display_from,
                                  &fields.display_to, &fields.subject}) {
    PutString(out, *text);
  }
  PutVarint(out, fields.reply ? 1 : 0);
  out->append(fields.message_id.data(), fields.message_id.size());
  PutVarint(out, fields.references.size());
  for (const MessageIdHash& id : fields.references) {
    out->append(id.data(), id.size());
  }
}

bool TakeSortFields(Reader* in, SortFieldsView* fields) {
  for (std::string_view* text : {&fields->from, &fields->to, &fields->cc, &fields->display_from,
                                 &fields->display_to, &fields->subject}) {
    *text = in->String();
  }
  fields->reply = in->Varint() != 0;
  const std::string_view id = in->Bytes(fields->message_id.size());
  std::copy(id.begin(), id.end(), fields->message_id.begin());
  const std::uint64_t count = in->Varint();
  if (count > limits::kReferencesMax) {
    in->Fail();
  }
  fields->references = in->Bytes(count * id.size());
  return in->ok();
}

bool TakeSortFields(Reader* in, SortFields* fields) {
  SortFieldsView view;
  if (!TakeSortFields(in, &view)) {
    return false;
  }
  *fields = {std::string(view.from),
             std::string(view.to),
             std::string(view.cc),
             std::string(view.display_from),
             std::string(view.display_to),
             std::string(view.subject),
             view.reply,
             view.message_id,
             view.References()};
  return true;
}

SortFieldsView ViewOf(const SortFields& fields) {
  const std::vector<MessageIdHash>& ids = fields.references;
  return {fields.from,
          fields.to,
          fields.cc,
          fields.display_from,
          fields.display_to,
          fields.subject,
          fields.reply,
          fields.message_id,
          ids.empty() ? std::string_view()
                      : std::string_view(ids.front().data(), ids.size() * ids.front().size())};
}

std::vector<MessageIdHash> SortFieldsView::References() const {
  std::vector<MessageIdHash> ids(references.size() / MessageIdHash().size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::copy_n(references.begin() + static_cast<std::ptrdiff_t>(i * ids[i].size()), ids[i].size(),
                ids[i].begin());
  }
  return ids;
}

}  // namespace twinspool::mime
