// Giving back: messages that only a former primary had accepted go to the new one, under new UIDs.
//
// The sender works through the salvage folder, one message at a time, while its node is an eligible
// standby; a message that is not taken makes room for the next, is offered again later (much later,
// if it was refused for what it is), and stays in the folder until then. The receiver gathers the
// parts and hands the message to the store. A token names each message for ever, so repeating is
// harmless, and the sender repeats until it is answered. A node that is primary itself takes its
// own salvage back. No thread, lock or clock.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "replica/salvage.h"
#include "replica/shared.h"

namespace twinspool::replica {

/// See the head of this file. Calls the store with a completion that comes back through Post.
class GiveBackSender {
 public:
  GiveBackSender(Shared& shared, Salvage& salvage) : shared_(shared), salvage_(salvage) {}

  /// The link or the role has changed: the message under way is offered again later.
  void Reset();
  /// Begins with the next message when it is time; takes own salvage back on a primary.
  void OnTick(Instant now);
  /// Queues one part of the message under way; true: there are more.
  bool Pump();
  bool WantsToSend() const { return item_ && !sent_ && !own_; }
  void OnGivenBack(const proto::GivenBack& given, Instant now);

 private:
  void TakeOwn(const proto::SalvageItem& item);
  proto::GiveBack Describe(const proto::SalvageItem& item) const;
  /// The message under way was not taken: others go first now.
  void PutOff(bool refused, const std::string& why, Instant now);

  Shared& shared_;
  Salvage& salvage_;
  std::optional<proto::SalvageItem> item_;  // offered and not answered
  bool own_ = false;                        // … to this node's own store
  std::uint64_t offset_ = 0;
  bool sent_ = false;
  Instant offered_at_;
  std::map<std::string, Instant> not_before_;  // of messages that were not taken, by token
};

/// See the head of this file.
class GiveBackReceiver {
 public:
  explicit GiveBackReceiver(Shared& shared) : shared_(shared) {}

  void Reset();
  void OnGiveBack(const proto::GiveBack& part);

 private:
  void Answer(proto::GivenBack given);

  Shared& shared_;
  std::optional<proto::GiveBack> head_;
  std::string octets_;
};

}  // namespace twinspool::replica
