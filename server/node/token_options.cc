#include "server/node/token_options.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "common/codec.h"

namespace twinspool::node {
namespace {

Result<std::string> ReadFile(const std::string& option, const std::string& path) {
  if (path.empty()) {
    return std::string();
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return NotFound(option + ": " + path + " cannot be opened: check the path and its permissions");
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// Without the line end that editors put behind it.
Result<std::string> ReadSecret(const std::string& option, const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(option, path));
  while (text.ends_with('\n') || text.ends_with('\r')) {
    text.pop_back();
  }
  if (!path.empty() && text.empty()) {
    return InvalidArgument(option + ": " + path + " is empty");
  }
  return text;
}

}  // namespace

CredentialOptions CredentialOptionsFor(const NodeConfig& config,
                                       const std::unique_ptr<net::HttpClient>& introspection) {
  CredentialOptions options;
  options.local_domains = config.local_domains;
  options.login_fronts = config.login_fronts;
  options.master_users = config.master_users;
  options.token_rules = {config.oauth_issuer, config.oauth_audience, config.oauth_scope,
                         config.oauth_user_claim};
  if (config.takes_tokens()) {
    options.tokens = auth::TokenOffer{config.oauth_scope, config.oauth_discovery_url};
  }
  if (!config.oauth_introspection_url.empty()) {
    options.introspect = [&introspection](const std::string& token,
                                          std::function<void(Result<std::string>)> done) {
      introspection->Post("token=" + net::UrlEncode(token) + "&token_type_hint=access_token",
                          std::move(done));
    };
  }
  return options;
}

Result<auth::JwtKeys> LoadTokenKeys(const NodeConfig& config) {
  ASSIGN_OR_RETURN(const std::string pem, ReadFile("oauth-keys", config.oauth_keys));
  if (!config.oauth_keys.empty() && pem.empty()) {
    return InvalidArgument("oauth-keys: " + config.oauth_keys + " is empty");
  }
  ASSIGN_OR_RETURN(std::string secret, ReadSecret("oauth-secret-file", config.oauth_secret_file));
  auto keys = auth::JwtKeys::Load(pem, std::move(secret));
  return keys.ok()
             ? std::move(keys)
             : Result<auth::JwtKeys>(keys.status().Annotate("oauth-keys: " + config.oauth_keys));
}

Result<std::unique_ptr<net::HttpClient>> OpenIntrospection(const NodeConfig& config) {
  net::HttpClientOptions options;
  options.url = config.oauth_introspection_url;
  options.ca_file = config.oauth_introspection_ca;
  ASSIGN_OR_RETURN(const std::string login,
                   ReadSecret("oauth-introspection-login", config.oauth_introspection_login));
  if (!login.empty()) {
    options.authorization = "Basic " + Base64Encode(login);
  }
  return net::HttpClient::Open(std::move(options));
}

}  // namespace twinspool::node
