#include "control/service/manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "control/base/text.h"

namespace lwt::service {
namespace {

// What cannot be sent is of no use to anybody later: the manager goes by its
// own times then.
void Tell(const std::string& assignments) {
  (void)sd_notify(0, assignments.c_str());
}

std::string StatusLine(std::string_view status) {
  return config::Concat("STATUS=", status);
}

}  // namespace

Manager::Manager() {
  uint64_t period_us = 0;
  if (sd_watchdog_enabled(0, &period_us) > 0) watchdog_us_ = period_us;
}

void Manager::Ready(std::string_view status) {
  Tell(absl::StrCat("READY=1\n", StatusLine(status)));
}

void Manager::ShowStatus(std::string_view status) { Tell(StatusLine(status)); }

// MONOTONIC_USEC tells a reload from one that began before (sd_notify(3)).
void Manager::Reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Tell(absl::StrCat("RELOADING=1\nMONOTONIC_USEC=",
                    static_cast<uint64_t>(now.tv_sec) * 1'000'000 +
                        static_cast<uint64_t>(now.tv_nsec) / 1000,
                    "\n", StatusLine("reading the settings again")));
}

void Manager::Stopping() {
  Tell(absl::StrCat("STOPPING=1\n", StatusLine("stopping")));
}

void Manager::StillTurns() { Tell("WATCHDOG=1"); }

}  // namespace lwt::service
