// lightweight-tunnel: the daemon.

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "control/base/log.h"
#include "control/cli/daemon_command.h"
#include "control/cli/print.h"
#include "control/gateway.h"
#include "control/host/instance/name_helper.h"
#include "control/host/instance/undo.h"
#include "control/loop/signals.h"
#include "control/service/confinement.h"
#include "control/service/environment.h"

namespace {

using lwt::cli::kExitFailure;
using lwt::cli::kExitOk;
using lwt::cli::kExitUsage;

int CleanUp() {
  auto done = lwt::host::CleanUp();
  if (!done.ok()) {
    std::fprintf(stderr, "lightweight-tunnel: %s\n",
                 std::string(done.status().message()).c_str());
    return kExitFailure;
  }
  for (const std::string& sentence : *done) std::puts(sentence.c_str());
  if (done->empty()) std::puts("nothing to clean up");
  return kExitOk;
}

int Preflight(const lwt::config::Config& config) {
  auto findings = lwt::CheckHost(config);
  std::fputs(lwt::FormatPreflight(findings).c_str(), stdout);
  return lwt::IsReady(findings) ? kExitOk : kExitFailure;
}

int RunGateway(lwt::config::Config& config,
               const lwt::config::CommandLine& command_line) {
  auto signals = lwt::loop::Signals::Create();
  if (!signals.ok()) {
    std::fprintf(stderr, "lightweight-tunnel: %s\n",
                 std::string(signals.status().message()).c_str());
    return kExitFailure;
  }
  constexpr int kStandardError = 2;
  lwt::loop::Log log(config.host.log_level, kStandardError,
                     lwt::service::IsJournal(kStandardError));
  // It may start programs, as a gateway that runs must not.
  std::unique_ptr<lwt::host::NameHelper> name_helper;
  if (config.mode == lwt::config::Mode::kClient) {
    name_helper = lwt::host::NameHelper::Start();
  }
  auto gateway = lwt::Gateway::Start(config, command_line, **signals, log,
                                     name_helper.get());
  if (!gateway.ok()) {
    std::fprintf(stderr, "lightweight-tunnel: %s\n",
                 std::string(gateway.status().message()).c_str());
    // What only other settings help against.
    return absl::IsInvalidArgument(gateway.status()) ? kExitUsage
                                                     : kExitFailure;
  }
  const absl::Status ended = (*gateway)->Run();
  gateway->reset();
  log.Info("stopped");
  return ended.ok() ? kExitOk : kExitFailure;
}

int Run(int argc, char** argv) {
  lwt::cli::Begin begin = lwt::cli::BeginDaemon(argc, argv);
  if (begin.done) return begin.exit_code;
  if (begin.action == lwt::config::Action::kCleanup) return CleanUp();
  if (begin.action == lwt::config::Action::kPreflight) {
    return Preflight(begin.config);
  }
  return RunGateway(begin.config, begin.command_line);
}

}  // namespace

int main(int argc, char** argv) {
  lwt::service::HideMemory();
  if (argc == 2 && std::string_view(argv[1]) == lwt::host::kNameHelperWord) {
    return lwt::host::RunNameHelper(lwt::host::kNameHelperFd);
  }
  return lwt::cli::Finish(stdout, stderr, "lightweight-tunnel",
                          Run(argc, argv));
}
