// What the LMTP tests see of a store: users, bodies, deliveries, and every way to fail that a test
// asks for. The other calls of MailStore are not there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/mail_store.h"

namespace twinspool::lmtp {

/// Answers inside the call, or, while `hold` is set, when Release is called.
class FakeMailStore final : public MailStore {
 public:
  struct Delivery {
    std::string user;
    std::string sender;
    std::string recipient;
    std::string octets;
  };

  std::vector<Delivery> deliveries;
  std::set<std::string> users = {"anna", "bert", "carl", "jürgen"};
  Status serving;
  std::uint64_t message_bytes = 1'000'000;
  /// By user name: what FindRecipient, StageBody, BodyStage::Write and Deliver answer.
  std::map<std::string, Status> find_errors;
  std::map<std::string, Status> stage_errors;
  std::map<std::string, Status> write_errors;
  std::map<std::string, Status> deliver_errors;
  std::set<std::string> duplicates;
  bool hold = false;
  std::vector<std::string> looked_up;
  std::size_t largest_write = 0;

  /// Runs what was held, first come first served; new calls are held again.
  void Release() {
    std::vector<std::function<void()>> batch;
    batch.swap(held_);
    for (auto& fn : batch) {
      fn();
    }
  }
  std::size_t held() const { return held_.size(); }

  void FindRecipient(std::string address, Done<UserRef> done) override {
    looked_up.push_back(address);
    const std::string name = address.substr(0, address.find('@'));
    Run([this, name, done = std::move(done)] {
      if (find_errors.contains(name)) {
        done(find_errors[name]);
      } else if (users.contains(name)) {
        done(UserRef{IdOf(name), name});
      } else {
        done(NotFound("no user " + name));
      }
    });
  }

  Result<std::unique_ptr<BodyStage>> StageBody(UserId owner, std::uint64_t /*size*/) override {
    const std::string name = names_[owner];
    if (stage_errors.contains(name)) {
      return stage_errors[name];
    }
    return std::unique_ptr<BodyStage>(std::make_unique<Stage>(*this, name));
  }

  void Deliver(DeliverRequest request, Done<DeliverResult> done) override {
    auto stage = std::shared_ptr<BodyStage>(std::move(request.body));
    Delivery delivery{request.user.name, request.sender, request.recipient,
                      static_cast<Stage&>(*stage).octets};
    Run([this, delivery = std::move(delivery), done = std::move(done)] {
      if (deliver_errors.contains(delivery.user)) {
        done(deliver_errors[delivery.user]);
        return;
      }
      deliveries.push_back(delivery);
      done(DeliverResult{Uid(1), duplicates.contains(delivery.user), {}});
    });
  }

  Status Serving() override { return serving; }
  std::uint64_t message_bytes_max() const override { return message_bytes; }

  void Authenticate(LoginRequest, Done<UserRef> d) override { d(None()); }
  std::vector<std::string> LoginMechanisms(const LoginClient&) override { return {}; }
  Result<std::unique_ptr<LoginExchange>> StartLogin(LoginStart) override { return None(); }
  void ListMailboxes(UserId, Done<std::vector<MailboxListing>> d) override { d(None()); }
  void FindMailbox(UserId, std::string, Done<MailboxState> d) override { d(None()); }
  void GetState(MailboxRef, Done<MailboxState> d) override { d(None()); }
  void CreateMailbox(UserId, std::string, SpecialUse, Done<MailboxState> d) override { d(None()); }
  void DeleteMailbox(UserId, std::string, Done<Unit> d) override { d(None()); }
  void RenameMailbox(UserId, std::string, std::string, Done<Unit> d) override { d(None()); }
  void Subscribe(UserId, std::string, bool, Done<Unit> d) override { d(None()); }
  void GetAnnotations(MailboxRef, Done<std::vector<Annotation>> d) override { d(None()); }
  void SetAnnotations(MailboxRef, std::vector<Annotation>, Done<Unit> d) override { d(None()); }
  void GetAcl(MailboxRef, Done<std::vector<AclEntry>> d) override { d(None()); }
  void SetAcl(MailboxRef, std::string, RightsChange, Rights, Done<Unit> d) override { d(None()); }
  void GetQuota(UserId, Done<QuotaState> d) override { d(None()); }
  void SetSpecialUse(UserId, MailboxId, SpecialUse, std::vector<Annotation>,
                     Done<Unit> d) override {
    d(None());
  }
  void ReadIndex(MailboxRef, IndexQuery, Done<IndexBatch> d) override { d(None()); }
  void ReadUids(MailboxRef, Uid, Done<UidBatch> d) override { d(None()); }
  void Fetch(MailboxRef, FetchRequest, Done<FetchBatch> d) override { d(None()); }
  void SearchText(MailboxRef, TextQuery, Done<TextBatch> d) override { d(None()); }
  void ReadBody(UserId, BodyNo, std::uint64_t, std::size_t, Done<std::string> d) override {
    d(None());
  }
  void Append(MailboxRef, std::vector<AppendMessage>, Done<AppendResult> d) override { d(None()); }
  void Replace(MailboxRef, AppendMessage, MailboxRef, Uid, Done<AppendResult> d) override {
    d(None());
  }
  void StoreFlags(MailboxRef, StoreRequest, Done<StoreResult> d) override { d(None()); }
  void Expunge(MailboxRef, std::optional<UidSet>, Done<ExpungeResult> d) override { d(None()); }
  void Copy(MailboxRef, UidSet, MailboxRef, Done<CopyResult> d) override { d(None()); }
  void Move(MailboxRef, UidSet, MailboxRef, Done<CopyResult> d) override { d(None()); }
  std::unique_ptr<Watch> WatchMailbox(MailboxRef, std::function<void()>) override {
    return nullptr;
  }
  std::unique_ptr<UserWatch> WatchUser(UserId, std::function<void()>) override { return nullptr; }

 private:
  struct Stage final : BodyStage {
    Stage(FakeMailStore& s, std::string n) : store(s), name(std::move(n)) {}
    void Write(std::string bytes, Done<Unit> done) override {
      octets += bytes;
      store.largest_write = std::max(store.largest_write, bytes.size());
      store.Run([&fake = store, user = name, done = std::move(done)] {
        if (fake.write_errors.contains(user)) {
          done(fake.write_errors[user]);
        } else {
          done(Unit{});
        }
      });
    }
    std::uint64_t size() const override { return octets.size(); }

    FakeMailStore& store;
    const std::string name;
    std::string octets;
  };

  static Status None() { return Unavailable("not part of this fake"); }

  UserId IdOf(const std::string& name) {
    UserId id;
    id.data()[0] = static_cast<std::uint8_t>(name.front());
    names_[id] = name;
    return id;
  }

  void Run(std::function<void()> fn) {
    if (hold) {
      held_.push_back(std::move(fn));
    } else {
      fn();
    }
  }

  std::map<UserId, std::string> names_;
  std::vector<std::function<void()>> held_;
};

}  // namespace twinspool::lmtp
