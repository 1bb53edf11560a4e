// Credentials that cost nothing: ASCII folding, a hash that shows the password, one local domain.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
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
    const std::lock_guard lock(leaving_);
    left = std::string(user) + " " + std::string(address) + (wrong ? " wrong" : "");
  }
  bool Verify(std::string_view user, std::string_view password,
              std::string_view password_hash) override {
    if (on_verify) {
      on_verify(user);
    }
    const std::lock_guard lock(verifying);
    ++verified;
    return Right(password, password_hash);
  }
  MadeAppPassword MakeAppPassword() override {
    const std::string text = "app" + std::to_string(++made_apps);
    return {text, "#" + text};
  }
  bool IsAppPassword(std::string_view password, std::string_view hash) override {
    return hash == "#" + std::string(password);
  }
  bool IsMaster(std::string_view name) const override { return name == "master"; }
  std::vector<std::string> Mechanisms(const LoginClient&) const override { return {"PROOF"}; }
  /// PROOF: the client names a user whose verifier is to be asked for, or says what claim it makes.
  Result<std::unique_ptr<SaslMechanism>> StartMechanism(const LoginStart& start,
                                                        FindVerifiers find) override {
    if (start.mechanism != "PROOF") {
      return NotFound("not here");
    }
    return std::unique_ptr<SaslMechanism>(std::make_unique<Proof>(*this, std::move(find)));
  }
  /// "token of NAME"; "late" cannot be checked.
  void CheckToken(const std::string& token,
                  const std::function<void(Result<std::string>)>& done) override {
    constexpr std::string_view kPrefix = "token of ";
    if (token.starts_with(kPrefix)) {
      return done(token.substr(kPrefix.size()));
    }
    done(token == "late" ? Unavailable("not reached") : Unauthenticated("nobody's"));
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
  std::atomic<int> made_apps{0};
  std::mutex verifying;  // a test that holds it makes the checks wait
  std::function<void(std::string_view user)> on_verify;  // as a check begins, on its thread
  // What the guard says, and what it was told last; to be looked at between two logins only.
  Status enter;
  Status welcome;
  std::string left;

  /// What the mechanism makes of a message of the client's, having found such verifiers.
  std::function<Result<SaslStep>(std::string_view octets,
                                 const std::vector<proto::ScramVerifier>& found)>
      on_step;

 private:
  std::mutex leaving_;  // two threads check

  class Proof final : public SaslMechanism {
   public:
    Proof(QuickCredentials& owner, FindVerifiers find) : owner_(owner), find_(std::move(find)) {}
    const std::string& first_challenge() const override { return first_; }
    Result<SaslStep> Step(std::string_view octets) override {
      return owner_.on_step(octets, find_(std::string(octets)));
    }

   private:
    const std::string first_ = "who?";
    QuickCredentials& owner_;
    const FindVerifiers find_;
  };

  static bool Right(std::string_view password, std::string_view password_hash) {
    return password_hash == "$" + std::string(password);
  }
};

}  // namespace twinspool::store
