// Annotations of mailboxes and of users (RFC 5464): rows of misc, one per entry.
//
// The key is the mailbox's id (nil for the user's own view of the server) and the entry's name in
// lower case. A deleted mailbox keeps its own; they go in the transaction that forgets it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

class Engine;

/// Key of a row of misc, without user and kind; `stored` as StoredEntry has it.
std::string AnnotationKey(MailboxId mailbox, std::string_view stored);
/// The name under which an entry is kept: private ones of a viewer who is not the owner carry his
/// id.
std::string StoredEntry(const MailboxRef& mailbox, std::string_view entry);
/// The other way round; nothing: it is somebody else's.
std::optional<std::string> VisibleEntry(const MailboxRef& mailbox, std::string_view stored);

/// Sets and (without a value) removes entries, all or none; what changes nothing writes nothing.
/// Shared entries take kRightWrite (kSharedSeenEntry kRightAdminister), private ones
/// kRightRead. kNotFound: no such mailbox; kLimit: more than limits::kAnnotationsPerMailboxMax
/// entries.
Status SetAnnotations(StoreTxn& txn, const MailboxRef& mailbox,
                      const std::vector<Annotation>& changes);

/// Whether the mailbox has kNoExpireEntry set, as of the newest state in the engine.
Result<bool> NeverExpires(Engine& engine, UserId user, MailboxId mailbox);

/// Forgets all rows of misc that name a mailbox which is being forgotten: annotations, rights, seen
/// marks. Answers how many rows these are.
Result<std::size_t> ForgetRowsOfMailbox(StoreTxn& txn, UserId user, MailboxId mailbox);

}  // namespace twinspool::store
