// Two stores that were the same and then both went on: what the older primary wrote is saved,
// undone and given back to the newer one, as the pair does it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replica/salvage.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {

class Divergence : public ::testing::Test {
 protected:
  Divergence();

  /// From here on each goes its own way: what old_ has so far, now_ has too, and is primary.
  void Part();
  /// old_ comes back: its own way is saved, undone, and given back. Ends with the outcomes, and
  /// with the proof that giving all of it back once more changes nothing. `acknowledged`: clients
  /// may have been told of it. `interrupted`: the process dies after every step of the undoing.
  void Return(bool acknowledged = false, bool interrupted = false);

  /// Outcomes in the order in which they came.
  std::vector<std::string> outcomes() const;
  std::size_t conflicts() const;

  /// The mailbox of old_'s user under this name on the other node.
  MailboxRef Now(const std::string& name);
  /// "uid:flags:octets" of the live messages, by UID; flags as SFADd (seen, flagged, …).
  std::vector<std::string> Mail(StoreBox& box, MailboxRef mailbox);
  std::vector<std::string> Mail(const std::string& name) { return Mail(now_, Now(name)); }
  /// Names of mailboxes beyond those that every user has.
  std::vector<std::string> Names(StoreBox& box);

  ManualClock clock_;
  StoreBox old_;
  StoreBox now_;
  UserRef ann_;
  MailboxRef inbox_;
  std::unique_ptr<replica::Salvage> salvage_;

 private:
  void OpenSalvage();
  void UndoAll(bool acknowledged, bool interrupted);
  void GiveAllBack();
  std::string DigestsOf(StoreBox& box);

  testing::TempDir salvage_dir_;
  std::size_t sent_ = 0;
  CommitSeq common_;
  std::vector<proto::GivenBack> given_;
};

}  // namespace twinspool::store
