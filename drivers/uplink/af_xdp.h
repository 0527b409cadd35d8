// The uplink by AF_XDP: DPDK's net_af_xdp driver with our steering program,
// which gives us our flows and leaves all else to the kernel.
//
// One worker polls all receive queues of the interface and transmits on the
// first. Frames are single and linear. The memory of the rings is a pool of
// this port's own: their frames reach the pipeline without a copy, frames of
// other pools are copied on their way out.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "drivers/scoped_fd.h"
#include "drivers/uplink/interface.h"
#include "drivers/uplink/steering.h"
#include "drivers/uplink/uplink.h"
#include "drivers/vdev.h"

namespace lwt {

class AfXdpUplink final : public Uplink {
 public:
  // `zero_copy` asks for it and says that TryZeroCopy succeeded. Fails with
  // FailedPrecondition when an XDP program is attached already, when the
  // interface is not Ethernet, or when its MTU does not fit AF_XDP's memory.
  static absl::StatusOr<std::unique_ptr<AfXdpUplink>> Open(
      const Interface& interface, bool zero_copy);
  ~AfXdpUplink() override;

  absl::Status SetEndpoints(std::span<const Endpoint> endpoints) override;
  uint32_t xdp_program_id() const override { return program_id_; }
  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return epoll_fd_; }
  PortCounters ReadCounters() const override;

 private:
  struct PoolDeleter {
    void operator()(rte_mempool* pool) const;
  };
  using Pool = std::unique_ptr<rte_mempool, PoolDeleter>;

  AfXdpUplink(PortInfo info, int ifindex, Pool pool);
  static absl::StatusOr<Pool> MakePool(const Interface& interface);
  absl::Status Start(const Interface& interface, bool zero_copy);
  absl::Status OpenDevice(const Interface& interface, bool zero_copy);
  absl::Status FindProgram();
  absl::Status WatchSockets();
  enum class Readiness { kReady, kRefused, kNoBuffer };
  Readiness MakeReady(rte_mbuf*& frame);

  std::unique_ptr<ScopedFd> claim_;  // on the interface; the last to go
  const Pool pool_;
  // Lives as long as the device, which reads it by its path.
  std::unique_ptr<SteeringObject> object_;
  std::unique_ptr<Vdev> device_;
  std::unique_ptr<SteeringMap> map_;
  std::vector<int> sockets_;  // one per queue
  uint32_t program_id_ = 0;
  uint16_t port_id_ = 0;
  uint16_t next_queue_ = 0;
  int epoll_fd_ = -1;
  std::atomic<uint64_t> refused_ = 0;  // written by the worker only
};

}  // namespace lwt
