// Has this host's names asked of the servers that a client's hub names, by the
// name helper, and says what came of it.
//
// One order is on its way at a time, and one leaves a second, whatever a hub
// says; of those behind it the newest counts. Owned by ClientSide. Control
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/log.h"
#include "control/handshake/messages.h"
#include "control/host/instance/name_helper.h"
#include "control/loop/event_loop.h"

namespace lwt {

class NameKeeper {
 public:
  static constexpr uint64_t kGapUs = 1'000'000;

  // `helper` may be null: then it is said what to do by hand. All outlive it.
  NameKeeper(host::NameHelper* helper, const std::string& device,
             const std::string& run_dir, loop::EventLoop& loop,
             const loop::Log& log);
  NameKeeper(const NameKeeper&) = delete;
  NameKeeper& operator=(const NameKeeper&) = delete;
  ~NameKeeper();  // all is taken back

  // The servers from now on; none: as without us.
  void Set(const handshake::DnsMessage& names, uint64_t now_us);
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const {
    return due_ && !awaited_ ? send_at_us_ : UINT64_MAX;
  }
  const handshake::DnsMessage& wanted() const { return wanted_; }
  // What came of it: a sentence; empty where nothing was wanted yet.
  const std::string& state() const { return state_; }

 private:
  void OnAnswer();
  void OnGone();

  host::NameHelper* helper_;  // null once it is gone
  loop::EventLoop& loop_;
  const loop::Log& log_;
  handshake::DnsMessage wanted_;
  bool due_ = false;  // and has not been sent
  uint64_t send_at_us_ = 0;
  bool awaited_ = false;  // an answer
  std::string state_;
};

}  // namespace lwt
