// Names in one form, object ids, the STATUS line.
#include "server/imap/answers.h"

#include <algorithm>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include "server/imap/response.h"

namespace twinspool::imap {

std::string NormalForm(std::string_view name) {
  if (std::all_of(name.begin(), name.end(), [](char c) { return c >= 0; })) {
    return std::string(name);
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  std::string normal;
  if (U_SUCCESS(error)) {
    icu::StringByteSink<std::string> sink(&normal);
    nfc->normalizeUTF8(0, icu::StringPiece(name.data(), static_cast<std::int32_t>(name.size())),
                       sink, nullptr, error);
  }
  return U_SUCCESS(error) ? normal : std::string(name);
}

std::string NormalName(std::string_view name) {
  if (name.size() > 1 && name.back() == '/') {
    name.remove_suffix(1);
  }
  return NormalForm(name);
}

std::string MailboxIdText(const MailboxId& id) {
  return "F" + id.ToHex();
}

std::string EmailIdText(const Guid& guid) {
  return "M" + guid.ToHex();
}

void AppendMyRights(std::string* out, std::string_view mailbox, Rights rights, bool utf8_names) {
  AppendMailbox(&(*out += "* MYRIGHTS "), mailbox, utf8_names);
  *out += " ";
  AppendAstring(out, RightsText(rights, true));
  *out += "\r\n";
}

std::string ThreadIdText(const Guid& guid, const mime::SortFieldsView& fields) {
  mime::MessageIdHash root = fields.message_id;
  if (fields.references.size() >= root.size()) {
    std::copy_n(fields.references.begin(), root.size(), root.begin());
  }
  using ThreadId = Id<struct ThreadIdTag, std::tuple_size_v<mime::MessageIdHash>>;
  const std::string_view octets = mime::IsNone(root) ? guid.bytes().substr(0, ThreadId::kSize)
                                                     : std::string_view(root.data(), root.size());
  return "T" + ThreadId::FromBytes(octets).ToHex();
}

void AppendStatusData(std::string* out, const MailboxState& state, StatusItems items,
                      Modseq highest, std::uint64_t append_limit, bool utf8_names,
                      std::uint64_t deleted_bytes) {
  AppendMailbox(&(*out += "* STATUS "), state.name, utf8_names);
  *out += " (";
  const std::size_t begin = out->size();
  const auto add = [&](StatusItems item, std::string_view name, std::uint64_t value) {
    if ((items & item) != 0) {
      *out += out->size() == begin ? "" : " ";
      *out += name;
      AppendNumber(out, value);
    }
  };
  add(kStatusMessages, "MESSAGES ", state.exists);
  add(kStatusRecent, "RECENT ", 0);
  add(kStatusUidNext, "UIDNEXT ", state.uid_next.value());
  add(kStatusUidValidity, "UIDVALIDITY ", state.uid_validity.value());
  add(kStatusUnseen, "UNSEEN ", state.unseen);
  add(kStatusHighestModseq, "HIGHESTMODSEQ ", highest.value());
  add(kStatusSize, "SIZE ", state.bytes);
  add(kStatusAppendLimit, "APPENDLIMIT ", append_limit);
  add(kStatusDeleted, "DELETED ", state.deleted);
  add(kStatusDeletedStorage, "DELETED-STORAGE ", deleted_bytes);
  if ((items & kStatusMailboxId) != 0) {
    *out += out->size() == begin ? "MAILBOXID (" : " MAILBOXID (";
    *out += MailboxIdText(state.ref.id);
    *out += ")";
  }
  *out += ")\r\n";
}

}  // namespace twinspool::imap
