#include "common/config.h"

#include <charconv>
#include <exception>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>

#include <boost/program_options.hpp>

#include "common/limits.h"
#include "common/networks.h"

namespace twinspool {
namespace {

namespace po = boost::program_options;

/// One option: how it is named, explained, checked and stored.
struct Option {
  const char* name;
  std::string default_value;
  std::string range;  // for people
  const char* help;
  std::function<Status(const std::string&, NodeConfig*)> store;
  std::function<std::string(const NodeConfig&)> show;
};

Status OutOfRange(const std::string& value, const std::string& range) {
  return InvalidArgument("'" + value + "' is not allowed here; it must be " + range);
}

Option Text(const char* name, const char* default_value, const char* range, const char* help,
            std::string NodeConfig::*member) {
  return {name,
          default_value,
          range,
          help,
          [member](const std::string& value, NodeConfig* config) {
            config->*member = value;
            return OkStatus();
          },
          [member](const NodeConfig& config) { return config.*member; }};
}

Option Choice(const char* name, const char* default_value, const char* range, const char* help,
              std::string NodeConfig::*member) {
  Option option = Text(name, default_value, range, help, member);
  option.store = [member, range = std::string(range)](const std::string& value,
                                                      NodeConfig* config) {
    const std::string choices = "|" + range + "|";
    if (value.empty() || choices.find("|" + value + "|") == std::string::npos) {
      return OutOfRange(value, "one of " + range);
    }
    config->*member = value;
    return OkStatus();
  };
  return option;
}

Option Flag(const char* name, const char* help, bool NodeConfig::*member) {
  return {name,
          "no",
          "yes|no",
          help,
          [member](const std::string& value, NodeConfig* config) {
            if (value != "yes" && value != "no") {
              return OutOfRange(value, "yes or no");
            }
            config->*member = value == "yes";
            return OkStatus();
          },
          [member](const NodeConfig& config) { return config.*member ? "yes" : "no"; }};
}

/// A whole number with an optional suffix K, M, G (powers of 1024).
Result<std::uint64_t> ParseNumber(const std::string& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest == text.data() || end - rest > 1) {
    return OutOfRange(text, "a whole number, with K, M or G behind it if wanted");
  }
  const int shift = rest == end    ? 0
                    : *rest == 'K' ? 10
                    : *rest == 'M' ? 20
                    : *rest == 'G' ? 30
                                   : -1;
  if (shift < 0 || value > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return OutOfRange(text, "a whole number, with K, M or G behind it if wanted");
  }
  return value << shift;
}

template <typename Member>
Option Number(const char* name, std::uint64_t default_value, std::uint64_t low, std::uint64_t high,
              const char* help, Member NodeConfig::*member) {
  const std::string range = std::to_string(low) + ".." + std::to_string(high);
  return {name,
          std::to_string(default_value),
          range,
          help,
          [=](const std::string& value, NodeConfig* config) -> Status {
            ASSIGN_OR_RETURN(const std::uint64_t number, ParseNumber(value));
            if (number < low || number > high) {
              return OutOfRange(value, "in " + range);
            }
            config->*member = static_cast<Member>(number);
            return OkStatus();
          },
          [member](const NodeConfig& config) { return std::to_string(config.*member); }};
}

Option Address(const char* name, const char* default_value, const char* help,
               ListenAddress NodeConfig::*member) {
  return {name,
          default_value,
          "host:port, [v6]:port, unix:/path, or empty for none",
          help,
          [member](const std::string& value, NodeConfig* config) -> Status {
            ASSIGN_OR_RETURN(config->*member, ParseListenAddress(value));
            return OkStatus();
          },
          [member](const NodeConfig& config) { return (config.*member).ToString(); }};
}

Option List(const char* name, const char* help, std::vector<std::string> NodeConfig::*member) {
  return {name,
          "",
          "words separated by blanks",
          help,
          [member](const std::string& value, NodeConfig* config) {
            std::istringstream words(value);
            (config->*member).clear();
            for (std::string word; words >> word;) {
              (config->*member).push_back(word);
            }
            return OkStatus();
          },
          [member](const NodeConfig& config) {
            std::string joined;
            for (const std::string& word : config.*member) {
              joined += joined.empty() ? word : " " + word;
            }
            return joined;
          }};
}

using C = NodeConfig;

std::vector<Option> PlaceOptions() {
  return {
      Text("data-dir", "/var/lib/twinspool", "a directory",
           "where everything of this node lives (mode 0700)", &C::data_dir),
      Text("node-name", "", "a short name", "name for logs and status; empty: the host's name",
           &C::node_name),
      Choice(
          "mode", "available", "available|strict|async",
          "when a write is acknowledged (docs/failover.md); a node without a peer is always single",
          &C::mode),
      Number("sync-wait-ms", 0, 0, 10'000,
             "async: wait that long for the standby before answering anyway", &C::sync_wait_ms),
      Address("imap-listen", "127.0.0.1:143", "IMAP with STARTTLS", &C::imap_listen),
      Address("imaps-listen", "0.0.0.0:993", "IMAP over TLS", &C::imaps_listen),
      Address("pop3-listen", "", "POP3 with STLS, usually at port 110", &C::pop3_listen),
      Address("pop3s-listen", "", "POP3 over TLS, usually at port 995", &C::pop3s_listen),
      Address("lmtp-listen", "127.0.0.1:24", "LMTP delivery", &C::lmtp_listen),
      Address("peer-listen", "0.0.0.0:4190", "the peer and remote administration, mutual TLS",
              &C::peer_listen),
      Address("http-listen", "127.0.0.1:8190",
              "status probes; on loopback also metrics and status.json", &C::http_listen),
      Text("admin-socket", "/run/twinspool/admin.sock", "a path",
           "socket for twinspoolctl; empty: admin.sock in the data directory", &C::admin_socket),
      Text("peer-address", "", "host:port",
           "where the other node listens; empty: as the join string said", &C::peer_address),
  };
}

std::vector<Option> AccessOptions() {
  return {
      Text("tls-certificate", "", "a PEM file",
           "certificate chain for IMAP and POP3; empty: a self-signed one is made",
           &C::tls_certificate),
      Text("tls-key", "", "a PEM file", "its private key", &C::tls_key),
      List("tls-more-certificates",
           "further ones, each CERTIFICATE:KEY, or one file with both; shown to clients that ask "
           "for a name in it",
           &C::tls_more_certificates),
      Text("tls-client-ca", "", "a PEM file",
           "CA whose certificates log their users in (EXTERNAL), by mail address or common name",
           &C::tls_client_ca),
      Flag("allow-plaintext", "passwords without TLS, on loopback only", &C::allow_plaintext),
      List("local-domains", "domains whose local part alone names a user", &C::local_domains),
      List("lmtp-allow", "addresses beyond loopback that may deliver", &C::lmtp_allow),
      List("login-fronts",
           "addresses of webmail servers and proxies: refused logins are not held against them",
           &C::login_fronts),
      List("master-users",
           "users who may log in as any other, with their own password, to migrate mail",
           &C::master_users),
      List("proxy-from",
           "addresses and networks (CIDR) whose IMAP and POP3 connections begin by a header of the "
           "PROXY protocol, version 2",
           &C::proxy_from),
  };
}

std::vector<Option> TokenOptions() {
  return {
      Text("oauth-keys", "", "a PEM file",
           "public keys (RS256, ES256) by which tokens of OAuth 2.0 are checked", &C::oauth_keys),
      Text("oauth-secret-file", "", "a file", "the secret (HS256) by which they are checked",
           &C::oauth_secret_file),
      Text("oauth-introspection-url", "", "https://host[:port]/path",
           "where others are asked about (RFC 7662); http on loopback only",
           &C::oauth_introspection_url),
      Text("oauth-introspection-login", "", "a file", "id:secret by which this node may ask there",
           &C::oauth_introspection_login),
      Text("oauth-introspection-ca", "", "a PEM file", "CA of that server; empty: the system's",
           &C::oauth_introspection_ca),
      Text("oauth-issuer", "", "a name", "what a token must have as iss; empty: anything",
           &C::oauth_issuer),
      Text("oauth-audience", "", "a name", "what must be in its aud; empty: anything",
           &C::oauth_audience),
      Text("oauth-scope", "", "a word", "what must be in its scope; empty: anything",
           &C::oauth_scope),
      Text("oauth-user-claim", "email", "a name", "which claim names the user",
           &C::oauth_user_claim),
      Text("oauth-discovery-url", "", "a URL",
           "openid-configuration that a client without a good token is told of",
           &C::oauth_discovery_url),
  };
}

std::vector<Option> BoundOptions() {
  constexpr std::uint64_t kTera = 1ull << 40;
  return {
      Number("message-bytes-max", limits::kMessageBytesMax, 1024, 1ull << 30, "largest message",
             &C::message_bytes_max),
      Number("outbox-bytes-max", limits::kOutboxBytesMax, 1ull << 20, kTera,
             "change log kept for an absent peer", &C::outbox_bytes_max),
      Number("cache-bytes", 256ull << 20, 8ull << 20, kTera, "block cache", &C::cache_bytes),
      Number(
          "disk-soft-reserve", 1ull << 30, 0, kTera,
          "below this many free bytes on either node new mail is refused, flags and expunges go on",
          &C::disk_soft_reserve),
      Number("disk-hard-reserve", 256ull << 20, 0, kTera, "below this all writes are refused",
             &C::disk_hard_reserve),
      Number("ballast-bytes", 64ull << 20, 0, kTera,
             "file given up so that a full disk can still be cleaned", &C::ballast_bytes),
      Number("expunged-retention-h", 24 * 7, 0, 24 * 3650,
             "hours that expunged messages, deleted mailboxes and deleted users are kept",
             &C::expunged_retention_h),
      Flag("keep-parents", "refuse to delete a mailbox that has others below it", &C::keep_parents),
      Number("quota-bytes", 0, 0, 1ull << 50,
             "octets that a user's mailboxes may hold together, unless he has a quota of his own; "
             "0: no limit",
             &C::quota_bytes),
      Number("quota-messages", 0, 0, 1ull << 40, "the same in messages; 0: no limit",
             &C::quota_messages),
      Number("scrub-mib-per-second", limits::kScrubMibPerSecond, 0, 100'000,
             "MiB that the search for damage reads of the disk in a second; 0: it only runs when "
             "asked for (verify-pair --deep) or when somebody meets damage",
             &C::scrub_mib_per_second),
      Number("scrub-interval-h", limits::kScrubIntervalHours, 0, 24 * 365,
             "hours from the end of one such search to the beginning of the next; 0: as above",
             &C::scrub_interval_h),
      Number("net-threads", 2, 1, 64, "threads that move bytes", &C::net_threads),
      Number("read-threads", 4, 1, 256, "threads for reads that may touch the disk",
             &C::read_threads),
      Number("txn-threads", 4, 1, 64, "threads that prepare writes", &C::txn_threads),
      Number("connections-max", limits::kConnectionsMax, 1, 1'000'000, "clients at once",
             &C::connections_max),
      Number("connections-per-address-max", 1000, 1, 1'000'000, "clients at once from one address",
             &C::connections_per_address_max),
      Number("connections-per-user-max", limits::kConnectionsPerUserMax, 1, 1'000'000,
             "sessions at once of one user", &C::connections_per_user_max),
      Choice("log-level", "info", "debug|info|warn|error", "least severe line that is written",
             &C::log_level),
      Flag("log-json", "log lines as JSON", &C::log_json),
  };
}

/// In the order of the help and the manual.
std::vector<Option> MakeOptions() {
  std::vector<Option> all = PlaceOptions();
  for (const auto& more : {AccessOptions(), TokenOptions(), BoundOptions()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

const std::vector<Option>& Options() {
  static const auto* const kOptions = new std::vector<Option>(MakeOptions());
  return *kOptions;
}

po::options_description Describe() {
  po::options_description description;
  for (const Option& option : Options()) {
    description.add_options()(option.name, po::value<std::string>(), option.help);
  }
  return description;
}

Status Apply(const po::variables_map& values, NodeConfig* config) {
  for (const Option& option : Options()) {
    const auto it = values.find(option.name);
    const std::string value =
        it == values.end() ? option.default_value : it->second.as<std::string>();
    TRY(option.store(value, config).Annotate(option.name));
  }
  return OkStatus();
}

Status ReadFile(const std::string& path, po::variables_map* values) {
  std::ifstream file(path);
  if (!file) {
    return NotFound("cannot read the configuration file " + path);
  }
  try {
    po::store(po::parse_config_file(file, Describe()), *values);
  } catch (const std::exception& error) {
    return InvalidArgument(path + ": " + error.what() + " (twinspoold --help lists every option)");
  }
  return OkStatus();
}

}  // namespace

bool ListenAddress::loopback() const {
  return !unix_path.empty() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string ListenAddress::ToString() const {
  if (!unix_path.empty()) {
    return "unix:" + unix_path;
  }
  if (host.empty()) {
    return "";
  }
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> ParseListenAddress(const std::string& text) {
  ListenAddress address;
  if (text.empty()) {
    return address;
  }
  if (text.starts_with("unix:")) {
    address.unix_path = text.substr(5);
    return address.unix_path.empty() ? Result<ListenAddress>(OutOfRange(text, "unix:/path"))
                                     : Result<ListenAddress>(address);
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return OutOfRange(text, "host:port, [v6]:port or unix:/path");
  }
  address.host = text.substr(0, colon);
  if (address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  ASSIGN_OR_RETURN(const std::uint64_t port, ParseNumber(text.substr(colon + 1)));
  if (port > 65535 || address.host.empty()) {
    return OutOfRange(text, "host:port with a port of 0..65535");
  }
  address.port = static_cast<std::uint16_t>(port);
  return address;
}

Result<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  po::options_description all = Describe();
  all.add_options()("config,c", po::value<std::string>())("help,h", "")("version", "")(
      "check-config", "")("sample-config", "");
  CommandLine line;
  po::variables_map values;
  try {
    constexpr int kStyle =
        po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(argc, argv).options(all).style(kStyle).run(), values);
  } catch (const std::exception& error) {
    return InvalidArgument(std::string(error.what()) + " (see twinspoold --help)");
  }
  line.help = values.contains("help");
  line.version = values.contains("version");
  line.check_config = values.contains("check-config");
  line.sample_config = values.contains("sample-config");
  if (values.contains("config")) {
    TRY(ReadFile(values["config"].as<std::string>(), &values));
  }
  TRY(Apply(values, &line.config));
  if (!line.help && !line.version && !line.sample_config) {
    TRY(CheckConfig(line.config));
  }
  return line;
}

Status CheckConfig(const NodeConfig& config) {
  if (config.data_dir.empty()) {
    return InvalidArgument("data-dir: a node needs a directory of its own");
  }
  if (config.disk_hard_reserve > config.disk_soft_reserve) {
    return InvalidArgument("disk-hard-reserve must not be larger than disk-soft-reserve");
  }
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    return InvalidArgument("tls-certificate and tls-key belong together: give both or neither");
  }
  if (config.lmtp_listen.enabled() && !config.lmtp_listen.loopback() && config.lmtp_allow.empty()) {
    return InvalidArgument(
        "lmtp-listen: LMTP beyond loopback needs lmtp-allow, the addresses that may deliver");
  }
  TRY(Networks::Parse(config.proxy_from).status().Annotate("proxy-from"));
  if (!config.oauth_introspection_login.empty() && config.oauth_introspection_url.empty()) {
    return InvalidArgument(
        "oauth-introspection-login is of no use without oauth-introspection-url");
  }
  if (config.takes_tokens() && config.oauth_user_claim.empty()) {
    return InvalidArgument("oauth-user-claim: something in a token must name its user");
  }
  if (config.sync_wait_ms > 0 && config.mode != "async") {
    return InvalidArgument("sync-wait-ms only has a meaning with mode = async");
  }
  return OkStatus();
}

std::string ConfigHelp() {
  std::string text =
      "Usage: twinspoold [--config FILE] [--check-config] [--OPTION VALUE ...]\n"
      "\n"
      "A node of a Twinspool pair, or a node alone. Options stand in the file as \"key = value\"\n"
      "or on the command line as --key value, which wins. Sizes may end in K, M or G.\n"
      "\n"
      "  -c, --config FILE   read options from FILE; unknown keys are errors\n"
      "      --check-config  check the configuration, print what is in force, and end\n"
      "      --sample-config print a configuration file with every option, and end\n"
      "      --version       print the version and end\n"
      "  -h, --help          this text\n"
      "\n";
  for (const Option& option : Options()) {
    text += "  --" + std::string(option.name) + "\n      " + option.help +
            "\n      range: " + option.range +
            "; default: " + (option.default_value.empty() ? "(empty)" : option.default_value) +
            "\n";
  }
  text +=
      "\nExamples:\n"
      "  twinspoold --config /etc/twinspool/twinspool.conf --check-config\n"
      "  twinspoold --data-dir /tmp/mail --imap-listen 127.0.0.1:1143 --imaps-listen '' \\\n"
      "      --lmtp-listen 127.0.0.1:1024 --allow-plaintext yes\n";
  return text;
}

std::string SampleConfig() {
  std::string text =
      "# Configuration of a Twinspool node: key = value. Every option, at its default.\n"
      "# Check a change with: twinspoold --config FILE --check-config\n";
  for (const Option& option : Options()) {
    text += "\n# " + std::string(option.help) + "\n# range: " + option.range + "\n#" + option.name +
            " = " + option.default_value + "\n";
  }
  return text;
}

std::string EffectiveConfig(const NodeConfig& config) {
  std::string text;
  for (const Option& option : Options()) {
    text += std::string(option.name) + " = " + option.show(config) + "\n";
  }
  return text;
}

}  // namespace twinspool
