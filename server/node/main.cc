// twinspoold: reads the command line, runs a node until a signal, stops it gracefully.
#include <signal.h>

#include <cstdio>
#include <ctime>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/config.h"
#include "common/log.h"
#include "server/node/node.h"
#include "server/node/systemd.h"
#include "server/node/version.h"

namespace twinspool::node {
namespace {

constexpr int kExitUsage = 2;

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

/// Until SIGTERM or SIGINT; feeds the service manager's watchdog meanwhile.
void WaitForEnd(const sigset_t& signals, Node& node) {
  const int watchdog_ms = WatchdogIntervalMs();
  while (true) {
    timespec wait{};
    wait.tv_sec = watchdog_ms > 0 ? watchdog_ms / 1000 : 3600;
    wait.tv_nsec = watchdog_ms % 1000 * 1'000'000L;
    const int signal = sigtimedwait(&signals, nullptr, &wait);
    if (signal == SIGTERM || signal == SIGINT) {
      return;
    }
    if (signal == SIGHUP) {
      const Status reloaded = node.Reload();
      LogInfo("reload", {{"result", reloaded.ToString()}});
    }
    if (watchdog_ms > 0) {
      NotifyServiceManager("WATCHDOG=1\nSTATUS=" + node.StatusLine());
    }
  }
}

int Run(const NodeConfig& config) {
  const sigset_t signals = BlockSignals();  // before any thread is made
  SetUpLog(config.log_level, config.log_json);
  auto node = Node::Start(config);
  if (!node.ok()) {
    LogError("start_failed", {{"error", node.status().ToString()}});
    return 1;
  }
  NotifyServiceManager("READY=1\nSTATUS=" + (*node)->StatusLine());
  WaitForEnd(signals, **node);
  NotifyServiceManager("STOPPING=1");
  (*node)->Stop();
  LogInfo("stopped");
  return 0;
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
