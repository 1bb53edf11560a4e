// Notifier: what a client has asked to be told of by NOTIFY (RFC 5465), and what it has been told
// of the mailboxes that are not selected.
//
// The store's watch of the user says what may have changed; only that is read. From what was known
// before follows what the event was. For this the notifier keeps the listing and, of mailboxes
// whose messages it is to tell of, the counts: about a hundred octets each.
//
// What this very session does is not told to it, where that can be seen (Own…).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/status.h"
#include "server/imap/command.h"
#include "server/mail_store.h"

namespace twinspool::imap {

class Core;
class Task;

/// What is told of the selected mailbox; at rest as if NOTIFY had never been given.
struct SelectedEvents {
  bool messages = true;  // new ones and expunges
  bool flags = true;
  bool expunges_at_once = false;  // also while no command is at work
  std::vector<FetchItem> items;   // of new messages
};

class Notifier {
 public:
  /// `groups` empty: NOTIFY NONE.
  explicit Notifier(std::vector<NotifyGroup> groups);

  const SelectedEvents& selected() const { return selected_; }
  /// Whether anything but the selected mailbox is to be told of.
  bool others() const { return !groups_.empty(); }

  /// Begins to watch, then reads what is there; with `status` writes a STATUS response of each
  /// mailbox whose messages are told of. `done` on the session's thread. Once; the task is to live
  /// until then.
  std::unique_ptr<Task> Begin(Core& core, bool status, std::function<void(const Status&)> done);
  /// Tells what changed since. kLimit: too much did (NOTIFICATIONOVERFLOW). The task is to live
  /// until `done` is called.
  std::unique_ptr<Task> Tell(Core& core, std::function<void(const Status&)> done);

  // --- what this session has done itself; of very much at once not all is remembered
  void OwnName(const std::string& name);
  void OwnMessages(MailboxId mailbox, std::size_t count);
  void OwnEntry(MailboxId mailbox, const std::string& entry);

 private:
  class Run;
  struct Known {
    std::string name;
    SpecialUse use = 0;
    bool subscribed = false;
    /// The counts are good.
    bool counted = false;
    std::uint32_t exists = 0;
    std::uint32_t unseen = 0;
    Uid next;
    Modseq highest;
  };

  NotifyEvents EventsOf(const std::string& name, bool subscribed) const;
  void TakeListing(std::vector<MailboxListing> listing, bool first);
  void TellListing(const std::unordered_map<MailboxId, Known>& before,
                   const std::set<std::string>& subscribed_before, Core& core);
  std::string LineOf(const std::string& name) const;
  /// STATUS items to tell, from what was known to what is; nothing: none.
  StatusItems Compare(const MailboxState& state, Known* known, NotifyEvents events, bool condstore);

  std::vector<NotifyGroup> groups_;  // those of other mailboxes
  SelectedEvents selected_;
  std::unique_ptr<UserWatch> watch_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::unordered_map<MailboxId, Known> known_;
  std::map<std::string, MailboxId> names_;
  std::set<std::string> subscribed_;
  UserNews missed_;  // of a look that failed
  std::set<std::string> own_names_;
  std::unordered_map<MailboxId, std::size_t> own_messages_;
  std::set<std::pair<MailboxId, std::string>> own_entries_;
};

}  // namespace twinspool::imap
