// Maildrop: what one session sees of INBOX: the messages as of its login, with their sizes, and
// which of them it has retrieved and wants deleted. Message n of the client is the one at n - 1.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/types.h"
#include "common/uid_set.h"
#include "server/mail_store.h"

namespace twinspool::pop3 {

/// Not thread-safe.
class Maildrop {
 public:
  struct Message {
    Uid uid;
    /// Octets as stored; 0 when the message's record cannot be read.
    std::uint32_t size = 0;
    bool deleted = false;    // by DELE
    bool retrieved = false;  // by RETR
  };

  Maildrop() = default;
  Maildrop(MailboxRef mailbox, UidValidity validity) : mailbox_(mailbox), validity_(validity) {}

  /// The next message, in rising order of UIDs. False: there are limits::kPop3MessagesMax already.
  bool Add(Uid uid, std::uint64_t size);

  const MailboxRef& mailbox() const { return mailbox_; }
  /// All of the login, deleted ones too.
  std::size_t size() const { return messages_.size(); }
  const Message& at(std::size_t index) const { return messages_[index]; }
  /// Messages that are not deleted, and their octets.
  std::size_t count() const { return count_; }
  std::uint64_t octets() const { return octets_; }

  void Delete(std::size_t index);
  /// Takes all Delete back.
  void Reset();
  void MarkRetrieved(std::size_t index) { messages_[index].retrieved = true; }

  UidSet Deleted() const;
  /// Retrieved and not deleted.
  UidSet Retrieved() const;

  /// UIDL's name for the message: "UIDVALIDITY.UID", at most 21 characters. Both are the same on
  /// the other node, so that nothing is downloaded again after a failover, and a name is never
  /// given to another message.
  std::string UniqueId(std::size_t index) const;

 private:
  MailboxRef mailbox_;
  UidValidity validity_;
  std::vector<Message> messages_;
  std::size_t count_ = 0;
  std::uint64_t octets_ = 0;
};

}  // namespace twinspool::pop3
