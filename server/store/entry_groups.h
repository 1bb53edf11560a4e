// EntryGroups: changed index entries of one transaction on their way to items.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "common/uid_set.h"
#include "server/store/page.h"
#include "server/store/txn.h"

namespace twinspool::store {

/// Messages by the state they get, so that each state travels once.
class EntryGroups {
 public:
  void Add(Uid uid, const PageEntry& next) {
    groups_[{next.state, next.flags, next.keywords, next.tail}].Add(uid);
    all_.Add(uid);
  }
  bool empty() const { return groups_.empty(); }
  const UidSet& all() const { return all_; }
  void AddItems(StoreTxn& txn, MailboxRef mailbox, Modseq modseq) const {
    for (const auto& [state, uids] : groups_) {
      proto::EntryItem* item = txn.Add(mailbox.owner)->mutable_entry();
      item->set_mailbox_id(std::string(mailbox.id.bytes()));
      uids.Encode(item->mutable_uids());
      item->mutable_entry()->set_state(std::get<0>(state));
      item->mutable_entry()->set_flags(std::get<1>(state));
      item->mutable_entry()->set_keywords(std::get<2>(state));
      item->mutable_entry()->set_tail(std::get<3>(state));
      item->mutable_entry()->set_updated_s(txn.now_s());
      item->set_modseq(modseq.value());
    }
  }

 private:
  std::map<std::tuple<std::uint8_t, std::uint8_t, std::string, std::string>, UidSet> groups_;
  UidSet all_;
};

}  // namespace twinspool::store
