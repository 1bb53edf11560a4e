#include "server/auth/tokens.h"

#include <algorithm>
#include <utility>

#include <openssl/sha.h>

namespace twinspool::auth {
namespace {

std::string KeyOf(const std::string& token) {
  std::string key(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(key.data()));
  return key;
}

bool LooksLikeJwt(const std::string& token) {
  return std::count(token.begin(), token.end(), '.') == 2;
}

}  // namespace

TokenChecker::TokenChecker(TokenRules rules, Introspect introspect, Clock& clock,
                           std::size_t entries_max)
    : rules_(std::move(rules)),
      introspect_(std::move(introspect)),
      clock_(clock),
      entries_max_(entries_max),
      keys_(std::make_shared<JwtKeys>()) {}

void TokenChecker::SetKeys(JwtKeys keys) {
  const std::lock_guard lock(mutex_);
  keys_ = std::make_shared<JwtKeys>(std::move(keys));
}

std::shared_ptr<const JwtKeys> TokenChecker::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void TokenChecker::Check(const std::string& token,
                         const std::function<void(Result<std::string>)>& done) {
  const auto known = keys();
  if (!known->empty() && LooksLikeJwt(token)) {
    const auto claims = ReadJwt(token, *known);
    return done(claims.ok() ? UserOfClaims(*claims, rules_, NowS(), true)
                            : Result<std::string>(claims.status()));
  }
  if (!introspect_ || token.empty()) {
    return done(Unauthenticated("the token is not a signed JWT"));
  }
  const std::string key = KeyOf(token);
  if (std::string user = Remembered(key); !user.empty()) {
    return done(std::move(user));
  }
  introspect_(token,
              [this, key, done](const Result<std::string>& body) { done(OnAnswer(key, body)); });
}

Result<std::string> TokenChecker::OnAnswer(const std::string& key,
                                           const Result<std::string>& body) {
  if (!body.ok()) {
    return body.status();
  }
  const auto claims = ParseJsonObject(*body);
  if (!claims.ok()) {
    return Unavailable("the introspection server answered something that is no JSON object");
  }
  const auto active = claims->fields().find("active");
  if (active == claims->fields().end() || !active->second.bool_value()) {
    return Unauthenticated("the introspection server says that the token is not active");
  }
  Result<std::string> user = UserOfClaims(*claims, rules_, NowS(), false);
  if (user.ok()) {
    Remember({key, *user, clock_.Now().PlusMs(limits::kTokenCacheMs), ExpiryOf(*claims)});
  }
  return user;
}

std::string TokenChecker::Remembered(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    return "";
  }
  const Entry& entry = *found->second;
  const bool expired = entry.expires_s > 0 && entry.expires_s <= NowS();
  return expired || entry.until <= clock_.Now() ? "" : entry.user;
}

void TokenChecker::Remember(Entry entry) {
  const std::lock_guard lock(mutex_);
  if (const auto found = by_key_.find(entry.key); found != by_key_.end()) {
    entries_.erase(found->second);
    by_key_.erase(found);
  }
  if (entries_.size() >= entries_max_ && !entries_.empty()) {
    by_key_.erase(entries_.front().key);
    entries_.pop_front();
  }
  entries_.push_back(std::move(entry));
  by_key_[entries_.back().key] = std::prev(entries_.end());
}

}  // namespace twinspool::auth
