// The service manager that started this process, if there is one: it is told
// when the gateway is ready, what it does, and that it still turns
// (sd_notify(3)).
//
// Where $NOTIFY_SOCKET is not set, nothing is sent. Control thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace lwt::service {

class Manager {
 public:
  Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // How long it waits for a sign of life before it ends this process, in µs; 0:
  // it asks for none.
  uint64_t watchdog_us() const { return watchdog_us_; }

  // Others wait for this. `status` is a line for people.
  void Ready(std::string_view status);
  void ShowStatus(std::string_view status);
  // Settings are read again; Ready ends it.
  void Reloading();
  void Stopping();
  void StillTurns();

 private:
  uint64_t watchdog_us_ = 0;
};

}  // namespace lwt::service
