// The node's configuration: one file, one table of options, one typed struct.
//
// Every option stands once in the table of config.cc with its default, range and one line of help;
// `--help`, the sample file in deploy/ and the manual page are generated from it and tested equal.
// Precedence: command line over file over default. Unknown keys are errors. Read once at start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"

namespace twinspool {

/// Where a server listens: "host:port", "[v6]:port", "unix:/path", or empty for "not at all".
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
  std::string unix_path;
  bool enabled() const { return !host.empty() || !unix_path.empty(); }
  bool loopback() const;
  std::string ToString() const;
};

/// kInvalidArgument with the reason for anything else.
Result<ListenAddress> ParseListenAddress(const std::string& text);

struct NodeConfig {
  std::string data_dir;
  std::string node_name;
  std::string mode;  // available, strict, async
  std::int64_t sync_wait_ms = 0;

  ListenAddress imap_listen;
  ListenAddress imaps_listen;
  ListenAddress pop3_listen;
  ListenAddress pop3s_listen;
  ListenAddress lmtp_listen;
  ListenAddress peer_listen;  // replication and remote administration, mutual TLS
  ListenAddress http_listen;
  std::string admin_socket;  // empty: <data-dir>/admin.sock
  std::string peer_address;  // node 1 dials this; empty: the address of the join string

  std::string tls_certificate;
  std::string tls_key;
  std::vector<std::string> tls_more_certificates;  // chosen by the name that a client asks for
  std::string tls_client_ca;                       // for logins by certificate
  bool allow_plaintext = false;
  std::vector<std::string> local_domains;
  std::vector<std::string> lmtp_allow;    // addresses that may speak LMTP beyond loopback
  std::vector<std::string> login_fronts;  // addresses of webmail servers and proxies
  std::vector<std::string> master_users;  // who may log in as others
  std::vector<std::string> proxy_from;    // addresses and networks that send a PROXY header

  std::string oauth_keys;  // file with public keys; this, or one of the next two: tokens are taken
  std::string oauth_secret_file;  // for HS256
  std::string oauth_introspection_url;
  std::string oauth_introspection_login;  // file with "id:secret"
  std::string oauth_introspection_ca;
  std::string oauth_issuer;
  std::string oauth_audience;
  std::string oauth_scope;
  std::string oauth_user_claim;
  std::string oauth_discovery_url;
  bool takes_tokens() const {
    return !oauth_keys.empty() || !oauth_secret_file.empty() || !oauth_introspection_url.empty();
  }

  std::uint64_t message_bytes_max = 0;
  std::uint64_t outbox_bytes_max = 0;
  std::uint64_t cache_bytes = 0;
  std::uint64_t disk_soft_reserve = 0;
  std::uint64_t disk_hard_reserve = 0;
  std::uint64_t ballast_bytes = 0;
  std::int64_t expunged_retention_h = 0;
  bool keep_parents = false;               // DELETE refuses a mailbox that has others below it
  std::uint64_t quota_bytes = 0;           // of users who have no quota of their own; 0: none
  std::uint64_t quota_messages = 0;        // the same
  std::uint64_t scrub_mib_per_second = 0;  // 0: no pass begins by itself
  std::int64_t scrub_interval_h = 0;       // the same

  int net_threads = 0;
  int read_threads = 0;
  int txn_threads = 0;
  std::uint64_t connections_max = 0;
  std::uint64_t connections_per_address_max = 0;
  std::uint64_t connections_per_user_max = 0;

  std::string log_level;
  bool log_json = false;
};

/// What main is asked to do.
struct CommandLine {
  NodeConfig config;
  bool help = false;
  bool version = false;
  bool check_config = false;
  bool sample_config = false;
};

/// Reads argv and the file named by --config. kInvalidArgument names the key, the value and the
/// range.
Result<CommandLine> ParseCommandLine(int argc, const char* const* argv);

/// Ranges that span options (e.g. reserves, TLS outside loopback).
Status CheckConfig(const NodeConfig& config);

/// Text of --help, with examples.
std::string ConfigHelp();
/// A configuration file with every option, commented out at its default.
std::string SampleConfig();
/// "key = value" lines of what is in force; no secrets are among the options.
std::string EffectiveConfig(const NodeConfig& config);

}  // namespace twinspool
