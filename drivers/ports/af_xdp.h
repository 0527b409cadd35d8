// The uplink by AF_XDP: DPDK's net_af_xdp driver with our steering program,
// which gives us our flows and leaves all else to the kernel.
//
// Its ports share all receive queues of the interface. Frames are single and
// linear. The memory of the rings is a pool of this uplink's own: their frames
// reach the pipeline without a copy, frames of other pools are copied on their
// way out.
#pragma once

#include <memory>
#include <vector>

#include "drivers/ports/af_xdp_port.h"
#include "drivers/ports/interface.h"
#include "drivers/ports/steering.h"
#include "drivers/ports/uplink.h"
#include "drivers/scoped_fd.h"
#include "drivers/vdev.h"

namespace lwt {

class AfXdpUplink final : public Uplink {
 public:
  // `zero_copy` asks for it and says that TryZeroCopy succeeded. Fails with
  // FailedPrecondition when an XDP program is attached already, when the
  // interface is not Ethernet, or when its MTU does not fit AF_XDP's memory.
  // Has `ports` ports, or as many as there are queues.
  static absl::StatusOr<std::unique_ptr<AfXdpUplink>> Open(
      const Interface& interface, bool zero_copy, uint16_t ports);
  ~AfXdpUplink() override;

  absl::Status SetEndpoints(std::span<const Endpoint> endpoints) override;
  uint32_t xdp_program_id() const override { return program_id_; }
  uint16_t port_count() const override {
    return static_cast<uint16_t>(ports_.size());
  }
  Port& port(uint16_t index) override { return *ports_[index]; }
  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    return ports_.front()->Receive(frames);
  }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    return ports_.front()->Transmit(frames);
  }
  int wait_fd() const override { return ports_.front()->wait_fd(); }
  PortReading ReadCounters() const override {
    return ports_.front()->ReadCounters();
  }

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
  absl::Status MakePorts(uint16_t count);

  std::unique_ptr<ScopedFd> claim_;  // on the interface; the last to go
  const Pool pool_;
  // Lives as long as the device, which reads it by its path.
  std::unique_ptr<SteeringObject> object_;
  std::unique_ptr<Vdev> device_;
  std::unique_ptr<SteeringMap> map_;
  std::vector<int> sockets_;  // one per queue
  std::vector<std::unique_ptr<AfXdpPort>> ports_;
  uint32_t program_id_ = 0;
};

}  // namespace lwt
