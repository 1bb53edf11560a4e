#include "tests/support/memory_picture.h"

#include <deque>
#include <optional>
#include <set>
#include <utility>

namespace twinspool::test {
namespace {

constexpr std::size_t kItemsPerUnit = 3;

/// A copy of everything at one position.
class MemoryPicture : public replica::Picture {
 public:
  MemoryPicture(MemoryUsers users, EntryId position, std::map<std::uint64_t, MemoryUsers> touched,
                CommitSeq low)
      : users_(std::move(users)), position_(position), touched_(std::move(touched)), low_(low) {}

  EntryId position() const override { return position_; }

  Status StartSince(CommitSeq after) override {
    if (after < low_) {
      return NotFound("the outbox does not reach back so far");
    }
    units_.clear();
    std::map<std::string, std::set<std::string>> keys;
    for (auto it = touched_.upper_bound(after.value()); it != touched_.end(); ++it) {
      for (const auto& [user, rows] : it->second) {
        for (const auto& [key, row] : rows) {
          keys[user].insert(key);
        }
      }
    }
    for (const auto& [user, named] : keys) {
      MemoryRows rows;
      for (const std::string& key : named) {
        const auto& all = users_[user];
        if (const auto found = all.find(key); found != all.end()) {
          rows.insert(*found);
        } else if (key[0] == 'S') {
          rows[key] = Forgotten(key);
        }
      }
      Cut(user, rows, {}, false);
    }
    return OkStatus();
  }

  Status StartUser(UserId user, std::vector<proto::BodyRef> have) override {
    units_.clear();
    MemoryRows rows = users_[std::string(user.bytes())];
    for (const proto::BodyRef& body : have) {
      rows.erase(BodyKey(body.body_no()));
    }
    Cut(std::string(user.bytes()), rows, {}, true);
    return OkStatus();
  }

  Status StartMailbox(MailboxId mailbox) override {
    units_.clear();
    const std::string id(mailbox.bytes());
    for (const auto& [user, all] : users_) {
      MemoryRows rows;
      for (const auto& [key, row] : all) {
        if (MailboxOf(key) == id) {
          rows[key] = row;
          const std::string body = BodyKey([&] {
            proto::RecordHeader header;
            header.ParseFromString(ParseItem(row).record().record());
            return header.body_no();
          }());
          rows[body] = all.at(body);
        }
      }
      if (!rows.empty()) {
        Cut(user, rows, id, true);
      }
    }
    return OkStatus();
  }

  Result<std::optional<proto::CatchUpUnit>> NextUnit(std::size_t /*bytes_max*/) override {
    if (units_.empty()) {
      return std::optional<proto::CatchUpUnit>();
    }
    std::optional<proto::CatchUpUnit> unit = std::move(units_.front());
    units_.pop_front();
    return unit;
  }
  Result<std::vector<proto::UserDigest>> Users() override { return UserDigests(users_); }
  Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                           std::size_t limit) override {
    return MailboxDigestsOf(users_, after, limit);
  }

 private:
  static MemoryRow Forgotten(const std::string& key) {
    proto::ChangeItem item;
    item.mutable_forget()->set_key(std::string(1, proto::MiscItem::SUBSCRIPTION) + key.substr(1));
    item.mutable_forget()->set_modseq(UINT64_MAX);
    return {UINT64_MAX, item.SerializeAsString()};
  }

  void Cut(const std::string& user, const MemoryRows& rows, const std::string& mailbox,
           bool replace) {
    proto::CatchUpUnit unit;
    const auto begin = [&](bool first) {
      unit.Clear();
      unit.set_user_id(user);
      unit.set_first(first);
      unit.set_replace(first && replace);
      unit.set_only_mailbox(mailbox);
    };
    begin(true);
    for (const auto& [key, row] : rows) {
      if (static_cast<std::size_t>(unit.items_size()) == kItemsPerUnit) {
        units_.push_back(unit);
        begin(false);
      }
      *unit.add_items() = ParseItem(row);
    }
    unit.set_last(true);
    std::uint64_t exists = 0;
    unit.set_user_digest(mailbox.empty() ? DigestOf(users_[user])
                                         : MailboxDigest(users_[user], mailbox, &exists));
    units_.push_back(unit);
  }

  MemoryUsers users_;
  EntryId position_;
  std::map<std::uint64_t, MemoryUsers> touched_;
  CommitSeq low_;
  std::deque<proto::CatchUpUnit> units_;
};

}  // namespace

std::unique_ptr<replica::Picture> MakePicture(MemoryUsers users, EntryId position,
                                              std::map<std::uint64_t, MemoryUsers> touched,
                                              CommitSeq low) {
  return std::make_unique<MemoryPicture>(std::move(users), position, std::move(touched), low);
}

}  // namespace twinspool::test
