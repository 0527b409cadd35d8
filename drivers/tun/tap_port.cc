#include "drivers/tun/tap_port.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "drivers/tun/device_name.h"
#include "drivers/vdev.h"

namespace lwt {
namespace {

// As much as the driver can be told. It refuses packets longer than this plus
// a link header; the MTU of the device itself is for the kernel to know.
constexpr uint16_t kLargestDriverMtu = 1504;
// The driver reads one packet at a time, so one buffer waits in its queue.
constexpr uint16_t kRxDescriptors = 1;
constexpr uint16_t kTxDescriptors = 64;

// The descriptors of this process that are a queue of the tunnel device `name`.
std::vector<int> QueueDescriptors(const std::string& name) {
  std::vector<int> found;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return found;
  while (const dirent* entry = readdir(directory)) {
    char target[sizeof(kTunDevice)];
    const ssize_t size =
        readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));
    if (size < 0 ||
        std::string_view(target, static_cast<size_t>(size)) != kTunDevice) {
      continue;
    }
    const int fd = std::atoi(entry->d_name);
    ifreq request{};
    if (ioctl(fd, TUNGETIFF, &request) == 0 && name == request.ifr_name) {
      found.push_back(fd);
    }
  }
  closedir(directory);
  return found;
}

class TapPort final : public Port {
 public:
  TapPort(PortInfo info, std::shared_ptr<Vdev> device, uint16_t queue,
          int queue_fd)
      : Port(std::move(info)),
        device_(std::move(device)),
        port_id_(device_->port_id()),
        queue_(queue),
        queue_fd_(queue_fd) {}

  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return queue_fd_; }
  PortReading ReadCounters() const override;

 private:
  const std::shared_ptr<Vdev> device_;
  const uint16_t port_id_;
  const uint16_t queue_;
  const int queue_fd_;
  std::atomic<uint64_t> refused_ = 0;  // written by the worker only
};

uint16_t TapPort::Receive(std::span<rte_mbuf*> frames) {
  const uint16_t count = rte_eth_rx_burst(port_id_, queue_, frames.data(),
                                          static_cast<uint16_t>(frames.size()));
  for (rte_mbuf* frame : frames.first(count)) {
    frame->l2_len = 0;
    // The driver looks for a link header that is not there.
    frame->packet_type = 0;
  }
  return count;
}

// The driver stops at the first packet that the kernel refuses and does not
// say why, but leaves errno as the write left it.
uint16_t TapPort::Transmit(std::span<rte_mbuf*> frames) {
  size_t done = 0;
  while (done < frames.size()) {
    errno = 0;
    done += rte_eth_tx_burst(port_id_, queue_, &frames[done],
                             static_cast<uint16_t>(frames.size() - done));
    if (done == frames.size()) break;
    if (errno == EAGAIN || errno == ENOBUFS) break;
    refused_.store(refused_.load(std::memory_order_relaxed) + 1,
                   std::memory_order_relaxed);
    rte_pktmbuf_free(frames[done]);
    ++done;
  }
  return static_cast<uint16_t>(done);
}

PortReading TapPort::ReadCounters() const {
  PortReading counters;
  rte_eth_stats statistics{};
  // The driver counts for all queues together: the first tells.
  if (queue_ == 0 && rte_eth_stats_get(port_id_, &statistics) == 0) {
    counters.rx_no_buffer = statistics.rx_nombuf;
    counters.rx_truncated = statistics.ierrors;
  }
  counters.tx_refused = refused_.load(std::memory_order_relaxed);
  return counters;
}

absl::Status CheckSpec(const TapSpec& spec) {
  const absl::Status named = CheckTunnelName(spec.name);
  if (!named.ok()) return named;
  if (spec.pool == nullptr || spec.mtu > kLargestDriverMtu ||
      rte_pktmbuf_data_room_size(spec.pool) < spec.mtu + RTE_PKTMBUF_HEADROOM) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tunnel device ", spec.name, ": an MTU of ", spec.mtu,
        " does not fit into its buffers (", kLargestDriverMtu, " at most)"));
  }
  return absl::OkStatus();
}

// The descriptor that the driver has opened since `known` was read, added to
// it. -1 when there is none.
int TakeNewDescriptor(const std::string& name, std::vector<int>& known) {
  for (const int fd : QueueDescriptors(name)) {
    if (std::find(known.begin(), known.end(), fd) != known.end()) continue;
    known.push_back(fd);
    return fd;
  }
  return -1;
}

// The driver asks for a signal per packet and would read only after one. It
// reads at every poll as long as no signal has ever come, so the signals are
// switched off before the device can carry its first packet.
absl::Status SilenceQueues(const std::string& name,
                           const std::vector<int>& queues) {
  for (const int fd : queues) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_ASYNC) != 0) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("cannot switch off the signals of ", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<Port>>> OpenTapPorts(
    const TapSpec& spec) {
  const absl::Status usable = CheckSpec(spec);
  if (!usable.ok()) return usable;
  // Should a signal come after all, it must not end the process.
  std::signal(SIGIO, SIG_IGN);
  // The driver complains of queueing disciplines that it does not need.
  rte_log_set_level_pattern("pmd.net.tap", RTE_LOG_CRIT);
  absl::StatusOr<std::unique_ptr<Vdev>> plugged =
      Vdev::Plug("net_tun", absl::StrCat("iface=", spec.name),
                 absl::StrCat("tunnel device ", spec.name));
  if (!plugged.ok()) return plugged.status();
  const std::shared_ptr<Vdev> device = *std::move(plugged);
  // By now the driver has a queue that carries nothing but keeps the device.
  std::vector<int> known = QueueDescriptors(spec.name);
  std::vector<int> descriptors;
  Vdev::Queues queues;
  queues.count = spec.queues;
  queues.rx_descriptors = kRxDescriptors;
  queues.tx_descriptors = kTxDescriptors;
  queues.mtu = kLargestDriverMtu;
  queues.pool = spec.pool;
  queues.on_receive_queue = [&] {
    descriptors.push_back(TakeNewDescriptor(spec.name, known));
  };
  absl::Status ready = device->SetUpQueues(queues);
  if (ready.ok()) ready = SilenceQueues(spec.name, descriptors);
  if (ready.ok()) ready = device->Start();
  if (!ready.ok()) return ready;
  PortInfo info;
  info.driver = "net_tap";
  info.device = spec.name;
  info.mtu = spec.mtu;
  info.queue_count = spec.queues;
  std::vector<std::unique_ptr<Port>> ports;
  for (uint16_t queue = 0; queue < spec.queues; ++queue) {
    ports.push_back(
        std::make_unique<TapPort>(info, device, queue, descriptors[queue]));
  }
  return ports;
}

}  // namespace lwt
