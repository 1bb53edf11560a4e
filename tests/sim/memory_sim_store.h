// MemoryStore as the simulated world's store.
#pragma once

#include <utility>

#include "tests/sim/sim_store.h"
#include "tests/support/memory_ports.h"

namespace twinspool::test {

class MemorySimStore final : public SimStore {
 public:
  explicit MemorySimStore(MemoryStore::Defect defect = MemoryStore::Defect::kNone) {
    store_.Break(defect);
  }

  bool Boot() override { return true; }
  void Listen(replica::CommitListener& gate) override { store_.SetListener(&gate); }
  void Die() override { store_.Die(); }
  bool Settle() override { return true; }
  replica::StorePorts Ports() override { return store_.Ports(); }

  bool WriteMisc(UserId user, const std::string& key, Acked acked) override {
    return store_.WriteMisc(user, key, "value", std::move(acked)).has_value();
  }
  bool ForgetMisc(UserId user, const std::string& key, Acked acked) override {
    return store_.ForgetMisc(user, key, std::move(acked)).has_value();
  }
  bool Append(UserId user, int mailbox, const std::string& octets, Acked acked) override {
    std::string bytes(user.bytes());
    bytes.back() = static_cast<char>('0' + mailbox);
    return store_.Append(user, MailboxId::FromBytes(bytes), octets, std::move(acked)).has_value();
  }

  replica::ServingState Serving() override { return store_.serving(); }
  CommitSeq Visible() override { return store_.visible(); }
  EntryId End() override { return store_.End(); }
  Result<EntryId> Identify(CommitSeq seq) override { return store_.Identify(seq); }
  std::string Digest() override { return store_.Digest(); }
  bool HasMisc(UserId user, const std::string& key) override { return store_.HasMisc(user, key); }
  std::size_t CountMessages(const std::string& octets) override {
    return store_.CountMessages(octets);
  }

  std::optional<StoreFault> Fault(std::uint64_t dice, bool standby) override {
    switch (dice % 8) {
      case 0:
      case 1:
        store_.CrashAfter(static_cast<int>(1 + dice % 6));
        return StoreFault{"crash is set", {}};
      case 2:
      case 3: {
        auto rotten = standby ? store_.Rot(dice) : std::nullopt;
        return rotten ? std::optional(StoreFault{"bit rot", std::move(rotten)}) : std::nullopt;
      }
      case 4:
        store_.SpoilNextUndo();
        return StoreFault{"undo spoiled", {}};
      case 5:
      case 6:
        if (!store_.writable()) {
          return std::nullopt;
        }
        store_.SlowDisk();
        return StoreFault{"slow disk", {}};
      default:
        return std::nullopt;
    }
  }
  void NoMoreFaults() override {
    store_.CrashAfter(-1);
    store_.SyncDisk();
  }
  const char* Turn(std::uint64_t dice) override {
    if (!store_.slow() || dice % 50 != 0) {
      return nullptr;
    }
    store_.SyncDisk();
    return "synced late";
  }

 private:
  MemoryStore store_;
};

}  // namespace twinspool::test
