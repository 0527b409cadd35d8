#include "drivers/uplink/af_packet.h"

#include <absl/strings/str_cat.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "drivers/uplink/packet_filter.h"

namespace lwt {
namespace {

// What a burst of merged frames takes while the worker is off its core.
constexpr int kSocketBufferBytes = 32 << 20;
constexpr uint32_t kEtherTypeOffset = 12;
constexpr uint16_t kVlanLinkHeaderSize = 18;
constexpr uint32_t kMaxMtu = 65535;

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
                          std::span<const Endpoint> endpoints) {
  absl::StatusOr<std::vector<sock_filter>> program =
      BuildPacketFilter(interface.link_header_size, endpoints);
  if (!program.ok()) return program.status();
  const sock_fprog filter = {static_cast<unsigned short>(program->size()),
                             program->data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) !=
      0) {
    return Failure(interface, "cannot set the filter of");
  }
  return absl::OkStatus();
}

// The socket hears nothing before the bind, and the filter is there by then.
absl::Status Configure(int fd, const Interface& interface) {
  if (!SetOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1) ||
      !SetOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) {
    return Failure(interface, "cannot configure");
  }
  EnlargeBuffers(fd);
  const absl::Status filtered = AttachFilter(fd, interface, {});
  if (!filtered.ok()) return filtered;
  const sockaddr_ll address = LinkAddress(interface.index, ETH_P_ALL);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
      0) {
    return Failure(interface, "cannot bind");
  }
  return absl::OkStatus();
}

uint16_t LinkHeaderSizeOf(const rte_mbuf* frame, uint8_t link_header_size) {
  if (link_header_size == 0 || frame->data_len < kVlanLinkHeaderSize) {
    return link_header_size;
  }
  uint16_t type = 0;
  std::memcpy(&type, rte_pktmbuf_mtod_offset(frame, char*, kEtherTypeOffset),
              sizeof(type));
  return type == htons(ETH_P_8021Q) ? kVlanLinkHeaderSize : link_header_size;
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

bool IsIpv6(const rte_mbuf* packet) {
  return packet->data_len > 0 && *rte_pktmbuf_mtod(packet, uint8_t*) >> 4 == 6;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AfPacketUplink>> AfPacketUplink::Open(
    const Interface& interface, rte_mempool* jumbo_pool) {
  if (jumbo_pool == nullptr ||
      rte_pktmbuf_data_room_size(jumbo_pool) < kJumboDataRoom) {
    return absl::InvalidArgumentError(absl::StrCat(
        "af_packet needs mbufs with a data room of ", kJumboDataRoom));
  }
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failure(interface, "cannot open");
  const absl::Status configured = Configure(fd, interface);
  if (!configured.ok()) {
    close(fd);
    return configured;
  }
  PortInfo info;
  info.driver = "af_packet";
  info.device = interface.name;
  info.link_header_size = interface.link_header_size;
  info.mtu = static_cast<uint16_t>(std::min(interface.mtu, kMaxMtu));
  return std::unique_ptr<AfPacketUplink>(
      new AfPacketUplink(std::move(info), interface, fd, jumbo_pool));
}

AfPacketUplink::AfPacketUplink(PortInfo info, const Interface& interface,
                               int fd, rte_mempool* pool)
    : Uplink(std::move(info), interface.index),
      fd_(fd),
      pool_(pool),
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
  for (uint16_t i = 0; i < filled_; ++i) rte_pktmbuf_free(buffers_[i]);
}

absl::Status AfPacketUplink::SetEndpoints(std::span<const Endpoint> endpoints) {
  Interface interface;
  interface.name = info().device;
  interface.link_header_size = info().link_header_size;
  return AttachFilter(fd_, interface, endpoints);
}

void AfPacketUplink::Count(std::atomic<uint64_t>& counter, uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n,
                std::memory_order_relaxed);
}

uint16_t AfPacketUplink::FillBuffers() {
  while (filled_ < kAfPacketFrames) {
    rte_mbuf* buffer = rte_pktmbuf_alloc(pool_);
    if (buffer == nullptr) break;
    buffer->data_off = 0;
    buffers_[filled_] = buffer;
    rx_vectors_[filled_][1] = {rte_pktmbuf_mtod(buffer, void*),
                               rte_pktmbuf_tailroom(buffer)};
    ++filled_;
  }
  return filled_;
}

// Turns the message received in a slot into a frame; false when it did not
// fit.
bool AfPacketUplink::FinishFrame(size_t slot) {
  const mmsghdr& message = rx_messages_[slot];
  rte_mbuf* frame = buffers_[slot];
  if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
      message.msg_len <= sizeof(VnetHeader)) {
    return false;
  }
  const uint32_t size = message.msg_len - sizeof(VnetHeader);
  if (size > UINT16_MAX) return false;
  frame->pkt_len = size;
  frame->data_len = static_cast<uint16_t>(size);
  ApplyHeader(rx_headers_[slot], frame);
  frame->l2_len = LinkHeaderSizeOf(frame, info().link_header_size);
  return true;
}

uint16_t AfPacketUplink::Receive(std::span<rte_mbuf*> frames) {
  const uint16_t ready = FillBuffers();
  if (ready == 0) {
    Count(no_buffer_, 1);
    return 0;
  }
  const unsigned wanted =
      static_cast<unsigned>(std::min<size_t>(ready, frames.size()));
  // An error such as ENETDOWN is reported once and says nothing of later.
  const int received =
      recvmmsg(fd_, rx_messages_.data(), wanted, MSG_DONTWAIT, nullptr);
  if (received <= 0) return 0;
  uint16_t count = 0;
  for (int slot = 0; slot < received; ++slot) {
    if (FinishFrame(static_cast<size_t>(slot))) {
      frames[count++] = buffers_[slot];
    } else {
      Count(truncated_, 1);
      rte_pktmbuf_free(buffers_[slot]);
    }
  }
  // The buffers that are left move to the front, with their vectors.
  for (uint16_t from = static_cast<uint16_t>(received), to = 0; from < filled_;
       ++from, ++to) {
    buffers_[to] = buffers_[from];
    rx_vectors_[to][1] = rx_vectors_[from][1];
  }
  filled_ = static_cast<uint16_t>(filled_ - received);
  return count;
}

uint16_t AfPacketUplink::PrepareTransmit(std::span<rte_mbuf*> frames) {
  size_t vector = 0;
  uint16_t count = 0;
  for (rte_mbuf* frame : frames) {
    if (count == kAfPacketFrames || frame->nb_segs > kMaxSegments ||
        vector + 1 + frame->nb_segs > kMaxTxVectors) {
      break;
    }
    msghdr& message = tx_messages_[count].msg_hdr;
    message = {};
    message.msg_iov = &tx_vectors_[vector];
    tx_vectors_[vector++] = {&tx_header_, sizeof(tx_header_)};
    for (rte_mbuf* segment = frame; segment != nullptr;
         segment = segment->next) {
      tx_vectors_[vector++] = {rte_pktmbuf_mtod(segment, void*),
                               segment->data_len};
    }
    message.msg_iovlen = 1u + frame->nb_segs;
    if (info().link_header_size == 0) {
      const sockaddr_ll& link = IsIpv6(frame) ? ipv6_link_ : ipv4_link_;
      message.msg_name = const_cast<sockaddr_ll*>(&link);
      message.msg_namelen = sizeof(link);
    }
    ++count;
  }
  return count;
}

uint16_t AfPacketUplink::Transmit(std::span<rte_mbuf*> frames) {
  size_t done = 0;
  while (done < frames.size()) {
    const uint16_t prepared = PrepareTransmit(frames.subspan(done));
    int sent = 0;
    bool queue_full = false;
    if (prepared > 0) {
      sent = sendmmsg(fd_, tx_messages_.data(), prepared, MSG_DONTWAIT);
      queue_full = sent < 0 && (errno == EAGAIN || errno == ENOBUFS);
    }
    if (queue_full) break;
    if (sent <= 0) {
      if (prepared > 0 && errno == EINTR) continue;
      Count(refused_, 1);
      sent = 1;
    }
    rte_pktmbuf_free_bulk(&frames[done], static_cast<unsigned>(sent));
    done += static_cast<size_t>(sent);
  }
  return static_cast<uint16_t>(done);
}

PortCounters AfPacketUplink::ReadCounters() const {
  tpacket_stats statistics{};
  socklen_t size = sizeof(statistics);
  // Reading resets the kernel's counters.
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) {
    missed_.fetch_add(statistics.tp_drops, std::memory_order_relaxed);
  }
  PortCounters counters;
  counters.rx_missed = missed_.load(std::memory_order_relaxed);
  counters.rx_no_buffer = no_buffer_.load(std::memory_order_relaxed);
  counters.rx_truncated = truncated_.load(std::memory_order_relaxed);
  counters.tx_refused = refused_.load(std::memory_order_relaxed);
  return counters;
}

}  // namespace lwt
