// Annotations of mailboxes and of users (RFC 5464): rows of misc, one per entry.
//
// The key is the mailbox's id (nil for the user's own view of the server) and the entry's name in
// lower case. A deleted mailbox keeps its own; they go in the transaction that forgets it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// Key of a row of misc, without user and kind.
std::string AnnotationKey(MailboxId mailbox, std::string_view entry);

/// Sets and (without a value) removes entries, all or none; what changes nothing writes nothing.
/// kNotFound: no such mailbox; kLimit: more than limits::kAnnotationsPerMailboxMax entries.
Status SetAnnotations(StoreTxn& txn, UserId user, MailboxId mailbox,
                      const std::vector<Annotation>& changes);

/// Forgets all of a mailbox that is being forgotten; answers how many rows these are.
Result<std::size_t> ForgetAnnotations(StoreTxn& txn, UserId user, MailboxId mailbox);

}  // namespace twinspool::store
