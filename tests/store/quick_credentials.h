// Credentials that cost nothing: ASCII folding, a hash that shows the password, one local domain.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/store/credentials.h"

namespace twinspool::store {

class QuickCredentials final : public Credentials {
 public:
  Result<MadeCredentials> Make(std::string_view password) override {
    if (password == "refused") {
      return InvalidArgument("not a password");
    }
    MadeCredentials made{"$" + std::string(password), {}};
    made.scram.emplace_back().set_mechanism("SCRAM-SHA-256");
    made.scram.back().set_stored_key("key of " + std::string(password));
    return made;
  }
  bool Remembers(std::string_view, std::string_view password,
                 std::string_view password_hash) override {
    return remember && Right(password, password_hash);
  }
  Status Enter(std::string_view, std::string_view) override { return enter; }
  Status Welcome(std::string_view, std::string_view) override { return welcome; }
  void Leave(std::string_view user, std::string_view address, bool wrong) override {
    left = std::string(user) + " " + std::string(address) + (wrong ? " wrong" : "");
  }
  bool Verify(std::string_view, std::string_view password,
              std::string_view password_hash) override {
    const std::lock_guard lock(verifying);
    ++verified;
    return Right(password, password_hash);
  }
  Result<std::string> FoldName(std::string_view name) const override {
    if (name.empty()) {
      return InvalidArgument("not a user name");
    }
    std::string folded(name);
    for (char& c : folded) {
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return folded;
  }
  std::vector<std::string> RecipientCandidates(std::string_view address) const override {
    const std::string whole = FoldName(address).ok() ? *FoldName(address) : "";
    const std::size_t at = whole.find("@local.example");
    return at == std::string::npos ? std::vector{whole} : std::vector{whole, whole.substr(0, at)};
  }

  std::atomic<bool> remember{false};
  std::atomic<int> verified{0};
  std::mutex verifying;  // a test that holds it makes the checks wait
  // What the guard says, and what it was told last; to be touched between two logins only.
  Status enter;
  Status welcome;
  std::string left;

 private:
  static bool Right(std::string_view password, std::string_view password_hash) {
    return password_hash == "$" + std::string(password);
  }
};

}  // namespace twinspool::store
