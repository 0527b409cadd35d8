#include "tests/support/bad_link/packet_leg.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace lwt::bad_link {
namespace {

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

}  // namespace

PacketLeg::~PacketLeg() {
  if (fd_ >= 0) close(fd_);
}

bool PacketLeg::Open(const std::string& interface) {
  // Bound to no protocol at first, so that nothing of another interface gets
  // into the queue.
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  if (!SetOption(fd_, SOL_PACKET, PACKET_VNET_HDR, 1) ||
      !SetOption(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) {
    return false;
  }
  // Best effort: a burst must not be lost to a small queue.
  SetOption(fd_, SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20);
  SetOption(fd_, SOL_SOCKET, SO_SNDBUFFORCE, 32 << 20);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) return false;
  memory_.resize(kBurst * kFrameBytes);
  received_.reserve(kBurst);
  return bind(fd_, reinterpret_cast<const sockaddr*>(&address),
              sizeof address) == 0;
}

std::span<const std::span<const uint8_t>> PacketLeg::Receive() {
  std::array<mmsghdr, kBurst> messages{};
  std::array<iovec, kBurst> vectors;
  for (size_t i = 0; i < kBurst; ++i) {
    vectors[i] = {memory_.data() + i * kFrameBytes, kFrameBytes};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  received_.clear();
  const int count = recvmmsg(fd_, messages.data(), kBurst, 0, nullptr);
  for (int i = 0; i < count; ++i) {
    received_.emplace_back(memory_.data() + i * kFrameBytes,
                           messages[i].msg_len);
  }
  return received_;
}

void PacketLeg::Send(std::span<const Frame> frames) {
  std::array<mmsghdr, kBurst> messages{};
  std::array<iovec, kBurst> vectors;
  while (!frames.empty()) {
    const size_t batch = std::min(frames.size(), kBurst);
    for (size_t i = 0; i < batch; ++i) {
      vectors[i] = {const_cast<uint8_t*>(frames[i].data()), frames[i].size()};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = sendmmsg(fd_, messages.data(), batch, 0);
    // The first one not sent is what the interface refused.
    const size_t done = sent < 0 ? 0 : static_cast<size_t>(sent);
    const size_t skipped = done < batch ? 1 : 0;
    refused_ += skipped;
    frames = frames.subspan(done + skipped);
  }
}

}  // namespace lwt::bad_link
