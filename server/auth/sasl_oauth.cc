#include "server/auth/sasl_oauth.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/json.h"

namespace twinspool::auth {
namespace {

constexpr char kSeparator = '\1';

using Pairs = std::map<std::string, std::string, std::less<>>;

// "key=value" pairs, each with ^A behind it, and one more ^A at the end.
Result<Pairs> ReadPairs(std::string_view text) {
  Pairs pairs;
  while (!text.empty() && text.front() != kSeparator) {
    const std::string_view pair = text.substr(0, text.find(kSeparator));
    const std::size_t equals = pair.find('=');
    if (pair.size() == text.size() || equals == std::string_view::npos) {
      return InvalidArgument("The message of this mechanism was not understood");
    }
    pairs.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    text.remove_prefix(pair.size() + 1);
  }
  if (text.size() != 1) {
    return InvalidArgument("The message of this mechanism does not end as it should");
  }
  return pairs;
}

// Of "Bearer token"; a client without one wants to be told where tokens are to be had.
Result<std::string> TokenOf(const Pairs& pairs) {
  const auto found = pairs.find("auth");
  if (found == pairs.end() || found->second.empty()) {
    return std::string();
  }
  const std::string& text = found->second;
  constexpr std::string_view kScheme = "bearer ";
  const bool bearer =
      text.size() > kScheme.size() &&
      std::equal(kScheme.begin(), kScheme.end(), text.begin(), [](char lower, char c) {
        return (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) == lower;
      });
  if (!bearer) {
    return InvalidArgument("Only Bearer tokens are taken");
  }
  return text.substr(kScheme.size());
}

// A "saslname" (RFC 5801 §4): "=2C" and "=3D" stand for ',' and '='.
Result<std::string> UnquoteName(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      name += text[i];
      continue;
    }
    const std::string_view code = text.substr(i + 1, 2);
    if (code != "2C" && code != "3D") {
      return InvalidArgument("The name is not quoted as it should be");
    }
    name += code == "2C" ? ',' : '=';
    i += 2;
  }
  return name;
}

// Takes "n,a=name,", or with 'y' before, from the front of *text: the name, which may be empty.
Result<std::string> TakeGs2Header(std::string_view* text) {
  const std::size_t first = text->find(',');
  const std::size_t second = first == std::string_view::npos ? first : text->find(',', first + 1);
  const std::string_view flag = text->substr(0, first);
  if (second == std::string_view::npos || (flag != "n" && flag != "y")) {
    return InvalidArgument("The message must begin by n,, or n,a=USER,");
  }
  const std::string_view identity = text->substr(first + 1, second - first - 1);
  text->remove_prefix(second + 1);
  if (!identity.empty() && !identity.starts_with("a=")) {
    return InvalidArgument("The message must begin by n,, or n,a=USER,");
  }
  return UnquoteName(identity.substr(std::min<std::size_t>(2, identity.size())));
}

class TokenMechanism : public SaslMechanism {
 public:
  explicit TokenMechanism(std::string refusal) : refusal_(std::move(refusal)) {}
  const std::string& first_challenge() const override { return nothing_; }

 protected:
  SaslStep Claim(std::string act_for, std::string token) const {
    return SaslStep{"", SaslClaim{SaslClaim::Proof::kToken, "", std::move(act_for),
                                  std::move(token), refusal_}};
  }

 private:
  const std::string nothing_;
  const std::string refusal_;
};

class OauthBearer final : public TokenMechanism {
 public:
  using TokenMechanism::TokenMechanism;

  Result<SaslStep> Step(std::string_view octets) override {
    ASSIGN_OR_RETURN(std::string user, TakeGs2Header(&octets));
    if (octets.empty() || octets.front() != kSeparator) {
      return InvalidArgument("The message of OAUTHBEARER was not understood");
    }
    ASSIGN_OR_RETURN(const Pairs pairs, ReadPairs(octets.substr(1)));
    ASSIGN_OR_RETURN(std::string token, TokenOf(pairs));
    return Claim(std::move(user), std::move(token));
  }
};

class Xoauth2 final : public TokenMechanism {
 public:
  using TokenMechanism::TokenMechanism;

  Result<SaslStep> Step(std::string_view octets) override {
    ASSIGN_OR_RETURN(const Pairs pairs, ReadPairs(octets));
    const auto user = pairs.find("user");
    if (user == pairs.end() || user->second.empty()) {
      return InvalidArgument("The message of XOAUTH2 names no user");
    }
    ASSIGN_OR_RETURN(std::string token, TokenOf(pairs));
    return Claim(user->second, std::move(token));
  }
};

}  // namespace

std::unique_ptr<SaslMechanism> MakeOauthBearer(const TokenOffer& offer) {
  JsonWriter json = JsonWriter::Object();
  json.Add("status", "invalid_token");
  if (!offer.scope.empty()) {
    json.Add("scope", offer.scope);
  }
  if (!offer.discovery_url.empty()) {
    json.Add("openid-configuration", offer.discovery_url);
  }
  return std::make_unique<OauthBearer>(json.Finish());
}

std::unique_ptr<SaslMechanism> MakeXoauth2(const TokenOffer& offer) {
  JsonWriter json = JsonWriter::Object();
  json.Add("status", "401").Add("schemes", "bearer").Add("scope", offer.scope);
  return std::make_unique<Xoauth2>(json.Finish());
}

}  // namespace twinspool::auth
