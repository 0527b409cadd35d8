#include "drivers/tun/offload_port.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <utility>

#include "drivers/headers.h"
#include "drivers/packet_pool.h"
#include "drivers/scoped_fd.h"
#include "drivers/tun/device_name.h"
#include "drivers/tun/train_buffers.h"
#include "drivers/vnet_header.h"

namespace lwt {
namespace {

constexpr unsigned kTcpOffload =
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
// TUN_F_USO4 and TUN_F_USO6, which headers older than Linux 6.2 do not name.
constexpr unsigned kUdpOffload = 0x20 | 0x40;

VnetHeader DescribeForKernel(const rte_mbuf* frame) {
  VnetHeader header;
  const uint64_t checksum = frame->ol_flags & RTE_MBUF_F_TX_L4_MASK;
  const bool tcp = (frame->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
  const bool udp = (frame->ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0;
  if (!tcp && !udp && checksum == 0) return header;
  header.flags = kVnetNeedsChecksum;
  header.checksum_start = frame->l3_len;
  header.checksum_offset = udp || checksum == RTE_MBUF_F_TX_UDP_CKSUM
                               ? wire::kUdpChecksumAt
                               : wire::kTcpChecksumAt;
  if (!tcp && !udp) return header;
  const bool ipv6 = wire::IsIpv6(rte_pktmbuf_mtod(frame, const uint8_t*));
  header.gso_type = udp ? kVnetGsoUdp : ipv6 ? kVnetGsoTcp6 : kVnetGsoTcp4;
  header.gso_size = frame->tso_segsz;
  header.header_size = static_cast<uint16_t>(frame->l3_len + frame->l4_len);
  return header;
}

class OffloadPort final : public Port {
 public:
  OffloadPort(PortInfo info, ScopedFd fd, const OffloadSpec& spec)
      : Port(std::move(info)),
        fd_(std::move(fd)),
        buffers_(spec.pool, spec.jumbo_pool) {}

  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return fd_.get(); }
  PortReading ReadCounters() const override;

 private:
  rte_mbuf* TakeFrame(size_t size);
  // False when the device is full; errors that are the frame's own are counted.
  bool Write(const rte_mbuf* frame);
  static void Count(std::atomic<uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1,
                  std::memory_order_relaxed);
  }

  const ScopedFd fd_;
  TrainBuffers buffers_;
  // Written by the worker only.
  std::atomic<uint64_t> no_buffer_ = 0;
  std::atomic<uint64_t> refused_ = 0;
};

rte_mbuf* OffloadPort::TakeFrame(size_t size) {
  rte_mbuf* const frame = buffers_.Take(size);
  if (frame == nullptr) return nullptr;
  frame->l2_len = info().link_header_size;
  frame->packet_type = 0;
  // Without offload the kernel leaves nothing open.
  if (info().segments) DescribeInside(buffers_.header(), 0, frame);
  return frame;
}

uint16_t OffloadPort::Receive(std::span<rte_mbuf*> frames) {
  uint16_t count = 0;
  while (count < frames.size()) {
    const std::span<const iovec> vectors = buffers_.Arm();
    if (vectors.empty()) {
      Count(no_buffer_);
      break;
    }
    const ssize_t size =
        readv(fd_.get(), vectors.data(), static_cast<int>(vectors.size()));
    if (size <= static_cast<ssize_t>(sizeof(VnetHeader))) break;
    rte_mbuf* const frame =
        TakeFrame(static_cast<size_t>(size) - sizeof(VnetHeader));
    if (frame != nullptr) frames[count++] = frame;
  }
  return count;
}

bool OffloadPort::Write(const rte_mbuf* frame) {
  VnetHeader header = DescribeForKernel(frame);
  std::array<iovec, 1 + kMaxChain> vectors;
  vectors[0] = {&header, sizeof(header)};
  int count = 1;
  for (const rte_mbuf* part = frame; part != nullptr && count <= kMaxChain;
       part = part->next) {
    vectors[static_cast<size_t>(count++)] = {rte_pktmbuf_mtod(part, void*),
                                             part->data_len};
  }
  ssize_t written = -1;
  if (frame->nb_segs <= kMaxChain) {
    do {
      written = writev(fd_.get(), vectors.data(), count);
    } while (written < 0 && errno == EINTR);
    if (written < 0 && (errno == EAGAIN || errno == ENOBUFS)) return false;
  }
  if (written < 0) Count(refused_);
  return true;
}

uint16_t OffloadPort::Transmit(std::span<rte_mbuf*> frames) {
  size_t done = 0;
  while (done < frames.size() && Write(frames[done])) ++done;
  rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(done));
  return static_cast<uint16_t>(done);
}

PortReading OffloadPort::ReadCounters() const {
  PortReading counters;
  counters.rx_no_buffer = no_buffer_.load(std::memory_order_relaxed);
  counters.tx_refused = refused_.load(std::memory_order_relaxed);
  return counters;
}

absl::Status CheckSpec(const OffloadSpec& spec) {
  const absl::Status named = CheckTunnelName(spec.name);
  if (!named.ok()) return named;
  const bool rooms =
      spec.pool != nullptr && spec.jumbo_pool != nullptr &&
      rte_pktmbuf_data_room_size(spec.pool) > RTE_PKTMBUF_HEADROOM &&
      rte_pktmbuf_data_room_size(spec.jumbo_pool) >= PacketPool::kJumboRoom;
  if (!rooms || spec.queues == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tunnel device ", spec.name, ": ", spec.queues,
        " queues, and buffers that do not hold a packet of 64 KiB"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ScopedFd> OpenQueue(const OffloadSpec& spec) {
  ScopedFd fd(open(kTunDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot open ", kTunDevice,
                            "; if it is missing: modprobe tun"));
  }
  ifreq request{};
  std::memcpy(request.ifr_name, spec.name.data(), spec.name.size());
  request.ifr_flags = IFF_NO_PI | IFF_VNET_HDR;
  request.ifr_flags |= spec.ethernet ? IFF_TAP : IFF_TUN;
  if (spec.queues > 1) request.ifr_flags |= IFF_MULTI_QUEUE;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot make tunnel device ", spec.name));
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<Port>>> OpenOffloadPorts(
    const OffloadSpec& spec) {
  const absl::Status usable = CheckSpec(spec);
  if (!usable.ok()) return usable;
  PortInfo info;
  info.driver = "tun";
  info.device = spec.name;
  info.link_header_size = spec.ethernet ? wire::kEthernetSize : 0;
  info.mtu = spec.mtu;
  info.queue_count = spec.queues;
  info.segments = !spec.ethernet;
  std::vector<std::unique_ptr<Port>> ports;
  for (uint16_t queue = 0; queue < spec.queues; ++queue) {
    absl::StatusOr<ScopedFd> fd = OpenQueue(spec);
    if (!fd.ok()) return fd.status();
    if (!spec.ethernet) {
      info.segments_udp =
          ioctl(fd->get(), TUNSETOFFLOAD, kTcpOffload | kUdpOffload) == 0;
    }
    if (info.segments && !info.segments_udp &&
        ioctl(fd->get(), TUNSETOFFLOAD, kTcpOffload)) {
      return absl::UnimplementedError(absl::StrCat(
          "the kernel offers no TCP segmentation on tunnel device ",
          spec.name));
    }
    ports.push_back(std::make_unique<OffloadPort>(info, *std::move(fd), spec));
  }
  return ports;
}

}  // namespace lwt
