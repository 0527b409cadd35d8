#include "drivers/ports/af_packet.h"

#include <absl/strings/str_cat.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>
#include <rte_mempool.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "drivers/headers.h"
#include "drivers/ports/fanout.h"
#include "drivers/ports/packet_filter.h"

namespace lwt {
namespace {

// What a burst of merged frames takes while the worker is off its core.
constexpr int kSocketBufferBytes = 32 << 20;
constexpr uint32_t kLargestMtu = 65535;

sockaddr_ll LinkAddress(int ifindex, uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = ifindex;
  return address;
}

absl::Status Failure(const Interface& interface, const char* step) {
  return absl::ErrnoToStatus(
      errno, absl::StrCat(step, " a packet socket on ", interface.name));
}

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

// The forced variants pass the system's limits and need CAP_NET_ADMIN; without
// it the limit is as good as it gets.
void EnlargeBuffers(int fd) {
  if (!SetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, kSocketBufferBytes)) {
    SetOption(fd, SOL_SOCKET, SO_RCVBUF, kSocketBufferBytes);
  }
  if (!SetOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, kSocketBufferBytes)) {
    SetOption(fd, SOL_SOCKET, SO_SNDBUF, kSocketBufferBytes);
  }
}

absl::Status AttachFilter(int fd, const Interface& interface,
                          std::span<const sock_filter> program) {
  const sock_fprog filter = {static_cast<unsigned short>(program.size()),
                             const_cast<sock_filter*>(program.data())};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) !=
      0) {
    if (errno == ENOMEM) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "no memory for a filter of ", program.size(), " instructions at ",
          interface.name, "; raise it: sysctl -w net.core.optmem_max=131072"));
    }
    return Failure(interface, "cannot set the filter of");
  }
  return absl::OkStatus();
}

// Nothing, in one instruction.
constexpr std::array<sock_filter, 1> kNothing = {{{BPF_RET | BPF_K, 0, 0, 0}}};

// The socket hears nothing before the bind, and the filter is there by then.
absl::Status Configure(int fd, const Interface& interface,
                       std::span<const sock_filter> filter) {
  if (!SetOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1) ||
      !SetOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) {
    return Failure(interface, "cannot configure");
  }
  EnlargeBuffers(fd);
  const absl::Status filtered = AttachFilter(fd, interface, filter);
  if (!filtered.ok()) return filtered;
  const sockaddr_ll address = LinkAddress(interface.index, ETH_P_ALL);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
      0) {
    return Failure(interface, "cannot bind");
  }
  return absl::OkStatus();
}

uint16_t TaggedHeaderSize(const rte_mbuf* frame, uint8_t link_header_size) {
  if (link_header_size == 0 || frame->data_len < wire::kVlanEthernetSize) {
    return link_header_size;
  }
  uint16_t type = 0;
  std::memcpy(&type, rte_pktmbuf_mtod_offset(frame, char*, wire::kEtherTypeAt),
              sizeof(type));
  return type == htons(ETH_P_8021Q) ? wire::kVlanEthernetSize
                                    : link_header_size;
}

void ApplyHeader(const VnetHeader& header, rte_mbuf* frame) {
  if ((header.flags & (kVnetNeedsChecksum | kVnetDataValid)) != 0) {
    frame->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  }
  if (header.gso_type != kVnetNoGso) {
    frame->ol_flags |= RTE_MBUF_F_RX_LRO;
    frame->tso_segsz = header.gso_size;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<AfPacketUplink>> AfPacketUplink::Open(
    const Interface& interface, const UplinkSpec& spec) {
  absl::StatusOr<std::vector<sock_filter>> nothing =
      BuildPacketFilter(interface.link_header_size, {});
  if (!nothing.ok()) return nothing.status();
  return OpenAll(interface, spec, Side::kOutside, *nothing);
}

absl::StatusOr<std::unique_ptr<AfPacketUplink>> AfPacketUplink::OpenInside(
    const Interface& interface, const UplinkSpec& spec,
    std::span<const sock_filter> filter) {
  return OpenAll(interface, spec, Side::kInside, filter);
}

absl::StatusOr<std::unique_ptr<AfPacketUplink>> AfPacketUplink::OpenAll(
    const Interface& interface, const UplinkSpec& spec, Side side,
    std::span<const sock_filter> filter) {
  auto first = OpenOne(interface, spec, side, filter);
  // Outside a group of one too: the kernel puts fragments together for it.
  if (!first.ok() || (spec.ports == 1 && side == Side::kInside)) return first;
  std::vector<int> sockets = {(*first)->fd_};
  while (sockets.size() < spec.ports) {
    auto other = OpenOne(interface, spec, side, filter);
    if (!other.ok()) return other;
    sockets.push_back((*other)->fd_);
    (*first)->others_.push_back(*std::move(other));
  }
  const absl::Status joined = JoinFanout(
      sockets, side == Side::kOutside ? Spread::kPortSum : Spread::kFlowHash);
  if (!joined.ok()) return joined;
  return first;
}

absl::StatusOr<std::unique_ptr<AfPacketUplink>> AfPacketUplink::OpenOne(
    const Interface& interface, const UplinkSpec& spec, Side side,
    std::span<const sock_filter> filter) {
  if (spec.jumbo_pool == nullptr || spec.small_pool == nullptr ||
      rte_pktmbuf_data_room_size(spec.jumbo_pool) < kJumboDataRoom) {
    return absl::InvalidArgumentError(absl::StrCat(
        "af_packet needs mbufs with a data room of ", kJumboDataRoom));
  }
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failure(interface, "cannot open");
  const absl::Status configured = Configure(fd, interface, filter);
  if (!configured.ok()) {
    close(fd);
    return configured;
  }
  PortInfo info;
  info.driver = "af_packet";
  info.kernel_sees_frames = true;
  info.pins_flows = true;
  info.frames_outlive = true;
  info.device = interface.name;
  info.link_header_size = interface.link_header_size;
  info.mtu = static_cast<uint16_t>(std::min(interface.mtu, kLargestMtu));
  info.segments = spec.super_frames;
  std::unique_ptr<AfPacketUplink> port(
      new AfPacketUplink(std::move(info), interface, fd, spec, side));
  if (port->FillBuffers() > kFirstKept) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "af_packet needs ", kKept, " buffers of ", kJumboDataRoom, " bytes"));
  }
  return port;
}

AfPacketUplink::AfPacketUplink(PortInfo info, const Interface& interface,
                               int fd, const UplinkSpec& spec, Side side)
    : Uplink(std::move(info), interface.index),
      fd_(fd),
      side_(side),
      jumbo_pool_(spec.jumbo_pool),
      small_pool_(spec.small_pool),
      copied_size_(rte_pktmbuf_data_room_size(spec.small_pool) -
                   RTE_PKTMBUF_HEADROOM),
      leg_(spec.leg),
      first_slot_(static_cast<uint16_t>(kAfPacketFrames - spec.frames)),
      ipv4_link_(LinkAddress(interface.index, ETH_P_IP)),
      ipv6_link_(LinkAddress(interface.index, ETH_P_IPV6)) {
  for (size_t i = 0; i < kAfPacketFrames; ++i) {
    rx_vectors_[i][0] = {&rx_headers_[i], sizeof(rx_headers_[i])};
    rx_messages_[i].msg_hdr.msg_iov = rx_vectors_[i].data();
    rx_messages_[i].msg_hdr.msg_iovlen = rx_vectors_[i].size();
  }
}

AfPacketUplink::~AfPacketUplink() {
  close(fd_);
  rte_pktmbuf_free_bulk(buffers_.data() + empty_, kAfPacketFrames - empty_);
}

absl::Status AfPacketUplink::SetEndpoints(std::span<const Endpoint> endpoints) {
  // A socket's memory (net.core.optmem_max) may have no room for the longest
  // program beside the one before.
  absl::Status refused;
  for (size_t most = BPF_MAXINSNS;; most /= 2) {
    absl::StatusOr<std::vector<sock_filter>> program =
        BuildPacketFilter(info().link_header_size, endpoints, most);
    if (!program.ok()) return refused.ok() ? program.status() : refused;
    refused = SetFilter(*program);
    if (!absl::IsResourceExhausted(refused)) return refused;
  }
}

absl::Status AfPacketUplink::SetFilter(std::span<const sock_filter> filter) {
  Interface interface;
  interface.name = info().device;
  interface.link_header_size = info().link_header_size;
  absl::Status status = AttachFilter(fd_, interface, filter);
  if (absl::IsResourceExhausted(status)) {
    // The one before is in the way. What comes meanwhile is sent again.
    status = AttachFilter(fd_, interface, kNothing);
    if (status.ok()) status = AttachFilter(fd_, interface, filter);
  }
  for (const auto& other : others_) {
    if (status.ok()) status = other->SetFilter(filter);
  }
  return status;
}

Port& AfPacketUplink::port(uint16_t index) {
  return index == 0 ? *this : *others_[index - 1u];
}

void AfPacketUplink::Count(std::atomic<uint64_t>& counter, uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n,
                std::memory_order_relaxed);
}

void AfPacketUplink::Place(uint16_t slot, rte_mbuf* buffer) {
  buffers_[slot] = buffer;
  rx_vectors_[slot][1] = {rte_pktmbuf_mtod(buffer, void*),
                          rte_pktmbuf_tailroom(buffer)};
}

// Returns the first slot with a buffer.
uint16_t AfPacketUplink::FillBuffers() {
  if (empty_ == first_slot_) return first_slot_;
  std::array<rte_mbuf*, kAfPacketFrames> fresh;
  auto count = static_cast<uint16_t>(empty_ - first_slot_);
  if (rte_pktmbuf_alloc_bulk(jumbo_pool_, fresh.data(), count) != 0) {
    count = 0;
    while (count < empty_ - first_slot_ &&
           (fresh[count] = rte_pktmbuf_alloc(jumbo_pool_)) != nullptr) {
      ++count;
    }
  }
  for (uint16_t i = 0; i < count; ++i) {
    fresh[i]->data_off = 0;
    Place(--empty_, fresh[i]);
  }
  return empty_;
}

// Lets the buffer of a slot go, whose place another takes. False when it is one
// of the last, without which nothing more could be read.
bool AfPacketUplink::GiveAway(uint16_t slot) {
  if (empty_ >= kFirstKept) {
    Count(no_buffer_, 1);
    return false;
  }
  if (slot != empty_) Place(slot, buffers_[empty_]);
  ++empty_;
  return true;
}

// The frame received in a slot, null when it did not fit or there is no buffer
// for it. A small one gets a buffer of its size, so that nobody holds 64 KiB
// for it, and leaves the slot's to the next.
template <AfPacketUplink::Side kSide>
rte_mbuf* AfPacketUplink::TakeFrame(uint16_t slot) {
  const mmsghdr& message = rx_messages_[slot];
  rte_mbuf* frame = buffers_[slot];
  const uint32_t size = message.msg_len - sizeof(VnetHeader);
  if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
      message.msg_len <= sizeof(VnetHeader) || size > UINT16_MAX) {
    Count(truncated_, 1);
    return nullptr;
  }
  rte_mbuf* const copy =
      size <= copied_size_ ? rte_pktmbuf_alloc(small_pool_) : nullptr;
  if (copy != nullptr) {
    rte_memcpy(rte_pktmbuf_mtod(copy, void*), rte_pktmbuf_mtod(frame, void*),
               size);
    frame = copy;
  } else if (!GiveAway(slot)) {
    return nullptr;
  }
  frame->pkt_len = size;
  frame->data_len = static_cast<uint16_t>(size);
  if constexpr (kSide == Side::kInside) {
    frame->packet_type = 0;
    DescribeInside(rx_headers_[slot], info().link_header_size, frame);
  } else {
    ApplyHeader(rx_headers_[slot], frame);
  }
  frame->l2_len = TaggedHeaderSize(frame, info().link_header_size);
  frame->port = leg_;
  return frame;
}

template <AfPacketUplink::Side kSide>
uint16_t AfPacketUplink::TakeFrames(uint16_t first, int received,
                                    std::span<rte_mbuf*> frames) {
  uint16_t count = 0;
  for (int i = 0; i < received; ++i) {
    rte_mbuf* const frame = TakeFrame<kSide>(static_cast<uint16_t>(first + i));
    if (frame != nullptr) frames[count++] = frame;
  }
  return count;
}

uint16_t AfPacketUplink::Receive(std::span<rte_mbuf*> frames) {
  const uint16_t first = FillBuffers();
  const auto wanted = static_cast<unsigned>(
      std::min<size_t>(kAfPacketFrames - first, frames.size()));
  // An error such as ENETDOWN is reported once and says nothing of later.
  const int received =
      recvmmsg(fd_, &rx_messages_[first], wanted, MSG_DONTWAIT, nullptr);
  return side_ == Side::kOutside
             ? TakeFrames<Side::kOutside>(first, received, frames)
             : TakeFrames<Side::kInside>(first, received, frames);
}

PortReading AfPacketUplink::ReadCounters() const {
  tpacket_stats statistics{};
  socklen_t size = sizeof(statistics);
  // Reading resets the kernel's counters.
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) {
    missed_.fetch_add(statistics.tp_drops, std::memory_order_relaxed);
  }
  PortReading counters;
  counters.rx_missed = missed_.load(std::memory_order_relaxed);
  counters.rx_no_buffer = no_buffer_.load(std::memory_order_relaxed);
  counters.rx_truncated = truncated_.load(std::memory_order_relaxed);
  counters.tx_refused = refused_.load(std::memory_order_relaxed);
  counters.tx_cut = cut_.load(std::memory_order_relaxed);
  return counters;
}

}  // namespace lwt
