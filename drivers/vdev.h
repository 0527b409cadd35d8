// A virtual device of DPDK: plugged in under a name of its own, configured,
// started, and gone with this object. Owned and used by the control thread;
// the queues may be used by workers while it lives.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct rte_mempool;

namespace lwt {

class Vdev {
 public:
  struct Queues {
    uint16_t count = 1;
    uint16_t rx_descriptors = 0;  // 0: the driver's default
    uint16_t tx_descriptors = 0;
    uint16_t mtu = 1500;  // the largest packet that Transmit may see
    rte_mempool* pool = nullptr;
    // Called after each receive queue is set up, all before the first transmit
    // queue: what descriptors the driver opens for it is seen by that.
    std::function<void()> on_receive_queue;
  };

  // `driver` is a name prefix that selects the driver, such as "net_tun";
  // `arguments` are its devargs. `what` names the device in errors.
  static absl::StatusOr<std::unique_ptr<Vdev>> Plug(std::string_view driver,
                                                    std::string_view arguments,
                                                    std::string_view what);
  Vdev(const Vdev&) = delete;
  Vdev& operator=(const Vdev&) = delete;
  ~Vdev();

  absl::Status SetUpQueues(const Queues& queues);
  absl::Status Start();

  uint16_t port_id() const { return port_id_; }

 private:
  Vdev(std::string name, std::string what, uint16_t port_id);
  absl::Status Failure(int error, std::string_view step) const;

  const std::string name_;
  const std::string what_;
  const uint16_t port_id_;
  bool started_ = false;
};

}  // namespace lwt
