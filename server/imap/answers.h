// What answers of several commands have in common: names, object ids, the STATUS line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/imap/command.h"
#include "server/mail_store.h"
#include "server/mime/sort_fields.h"

namespace twinspool::imap {

/// `text` in Unicode's form NFC, as the store keeps names.
std::string NormalForm(std::string_view text);
/// A name in that form and without a trailing separator (RFC 3501 §6.3.3).
std::string NormalName(std::string_view name);

/// The mailbox of a line of LIST, as `user` looks at it.
inline MailboxRef RefOf(const MailboxListing& listing, UserId user) {
  return {listing.owner, listing.id, listing.owner == user ? UserId() : user};
}

/// MAILBOXID and EMAILID (RFC 8474).
std::string MailboxIdText(const MailboxId& id);
std::string EmailIdText(const Guid& guid);
/// THREADID: of the thread's root, which is what the message refers to first, or else itself. Made
/// of the message alone, so that it is the same everywhere and always (ARCHITECTURE.md, Decisions).
std::string ThreadIdText(const Guid& guid, const mime::SortFieldsView& fields);

/// "* MYRIGHTS name rights" CRLF (RFC 4314 §3.8).
void AppendMyRights(std::string* out, std::string_view mailbox, Rights rights, bool utf8_names);

/// Whether a mailbox can be opened for writing with these rights (RFC 4314 §5.2).
inline bool WritableWith(Rights rights) {
  return (rights &
          (kRightSeen | kRightWrite | kRightInsert | kRightDeleteMessages | kRightExpunge)) != 0;
}

/// "* STATUS name (…)" CRLF for `items`. `highest` stands in for the state's HIGHESTMODSEQ, because
/// a session may not announce more than it has told. `deleted_bytes`: octets of messages with
/// \Deleted, which the state does not tell.
void AppendStatusData(std::string* out, const MailboxState& state, StatusItems items,
                      Modseq highest, std::uint64_t append_limit, bool utf8_names,
                      std::uint64_t deleted_bytes = 0);

}  // namespace twinspool::imap
