// Tells the service manager that the control thread still turns, and how many
// peers are up. Owned by the gateway. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/loop/component.h"
#include "control/service/manager.h"
#include "control/session/peer_table.h"

namespace lwt {

class ServiceNotice final : public loop::Component {
 public:
  // A status that changes with each client of a crowd is of no use to anybody.
  static constexpr uint64_t kStatusEveryUs = 1'000'000;

  // `head` begins each status line. Both references outlive this object.
  ServiceNotice(service::Manager& manager, const peer::PeerTable& peers,
                std::string head)
      : manager_(manager), peers_(peers), head_(std::move(head)) {}

  uint64_t NextDeadline() const override;
  void OnTimer(uint64_t now_us) override;

  // Start-up is over, or a reload is.
  void Ready();

 private:
  std::string StatusLine() const;

  service::Manager& manager_;
  const peer::PeerTable& peers_;
  const std::string head_;
  std::optional<size_t> shown_;  // peers that were up; nothing before Ready
  uint64_t next_status_us_ = 0;
  uint64_t next_sign_us_ = 0;
};

}  // namespace lwt
