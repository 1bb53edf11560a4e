// twinspoold: reads the command line, runs a node until a signal, stops it gracefully.
#include <signal.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/config.h"
#include "common/log.h"
#include "common/tls.h"
#include "server/node/node.h"
#include "server/node/systemd.h"
#include "server/node/tls_files.h"
#include "server/node/token_options.h"
#include "server/node/version.h"

namespace twinspool::node {
namespace {

constexpr int kExitUsage = 2;
constexpr int kRecoveryNoticeMs = 10'000;

/// Mail must not land in core dumps, files are for their owner, and sockets need descriptors.
void PrepareProcess() {
  umask(0077);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a failed write like any other
}

sigset_t BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

/// Until SIGTERM or SIGINT.
void WaitForEnd(const sigset_t& signals, Node& node) {
  while (true) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal == SIGTERM || signal == SIGINT) {
      return;
    }
    if (signal == SIGHUP) {
      (void)node.Reload();  // which tells the log what came of it
    }
  }
}

/// A disk that hangs must trip the watchdog, so it is fed by what has just written and read.
std::string AliveText(Node& node) {
  if (const Status probed = node.Probe(); !probed.ok()) {
    LogError("watchdog_not_fed", {{"why", probed.ToString()}});
    return "";
  }
  return "WATCHDOG=1\nSTATUS=" + node.StatusLine();
}

/// Opening replays what a crash left, which takes as long as it takes.
Result<std::unique_ptr<Node>> StartNode(const NodeConfig& config) {
  const Notices patience(kRecoveryNoticeMs, [] {
    return "EXTEND_TIMEOUT_USEC=" + std::to_string(3 * 1000 * kRecoveryNoticeMs) +
           "\nSTATUS=starting";
  });
  return Node::Start(config);
}

int Run(const NodeConfig& config) {
  const sigset_t signals = BlockSignals();  // before any thread is made
  SetUpLog(config.log_level, config.log_json);
  auto node = StartNode(config);
  if (!node.ok()) {
    LogError("start_failed", {{"error", node.status().ToString()}});
    return 1;
  }
  NotifyServiceManager("READY=1\nSTATUS=" + (*node)->StatusLine());
  {
    std::optional<Notices> watchdog;
    if (const int interval_ms = WatchdogIntervalMs(); interval_ms > 0) {
      watchdog.emplace(interval_ms, [&node] { return AliveText(**node); });
    }
    WaitForEnd(signals, **node);
  }
  NotifyServiceManager("STOPPING=1");
  (*node)->Stop();
  LogInfo("stopped");
  return 0;
}

/// --check-config: what a start would fail on though every option is well-formed.
Status CheckCertificate(const NodeConfig& config) {
  TRY(LoadTokenKeys(config).status());
  ASSIGN_OR_RETURN(TlsServerOptions tls, MailTlsOptions(config));
  return tls.certificate_file.empty() ? OkStatus() : TlsSource::Open(tls).status();
}

int Main(int argc, char** argv) {
  PrepareProcess();
  const auto line = ParseCommandLine(argc, argv);
  if (!line.ok()) {
    std::fprintf(stderr, "twinspoold: %s\n", std::string(line.status().message()).c_str());
    return kExitUsage;
  }
  if (line->help) {
    std::fputs(ConfigHelp().c_str(), stdout);
    return 0;
  }
  if (line->version) {
    std::printf("twinspoold %s\n", kVersion);
    return 0;
  }
  if (line->sample_config) {
    std::fputs(SampleConfig().c_str(), stdout);
    return 0;
  }
  if (line->check_config) {
    if (const Status readable = CheckCertificate(line->config); !readable.ok()) {
      std::fprintf(stderr, "twinspoold: %s\n", std::string(readable.message()).c_str());
      return kExitUsage;
    }
    std::fputs(EffectiveConfig(line->config).c_str(), stdout);
    return 0;
  }
  return Run(line->config);
}

}  // namespace
}  // namespace twinspool::node

int main(int argc, char** argv) {
  return twinspool::node::Main(argc, argv);
}
