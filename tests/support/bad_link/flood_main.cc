// bad_link_flood: how many frames a second a link carries. Sends frames into
// one interface until so many have come out of another, never more than a
// window ahead, and prints one JSON object: sent, received, seconds.
//
//   bad_link_flood FROM TO FRAMES BYTES
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/support/bad_link/packet_leg.h"

namespace lwt::bad_link {
namespace {

constexpr size_t kWindow = 8192;
constexpr size_t kVirtioHeader = 10;
// An EtherType for experiments (IEEE 802).
constexpr uint8_t kKind[] = {0x88, 0xb5};
// What has not come after this is lost.
constexpr int kPatienceMs = 20;

Frame MakeFrame(size_t bytes) {
  Frame frame(kVirtioHeader + bytes);
  for (size_t i = 0; i < 6; ++i) frame[kVirtioHeader + i] = 0xff;
  frame[kVirtioHeader + 12] = kKind[0];
  frame[kVirtioHeader + 13] = kKind[1];
  return frame;
}

bool IsOurs(std::span<const uint8_t> frame) {
  return frame.size() > kVirtioHeader + 14 &&
         frame[kVirtioHeader + 12] == kKind[0] &&
         frame[kVirtioHeader + 13] == kKind[1];
}

int Main(int argc, char** argv) {
  PacketLeg from;
  PacketLeg to;
  if (argc != 5 || !from.Open(argv[1]) || !to.Open(argv[2])) {
    std::perror("bad_link_flood FROM TO FRAMES BYTES");
    return 2;
  }
  const size_t wanted = std::strtoull(argv[3], nullptr, 10);
  const std::vector<Frame> burst(
      PacketLeg::kBurst, MakeFrame(std::strtoull(argv[4], nullptr, 10)));
  size_t sent = 0;
  size_t received = 0;
  size_t ahead = 0;
  const auto begun = std::chrono::steady_clock::now();
  while (received < wanted) {
    if (ahead < kWindow) {
      from.Send(burst);
      sent += burst.size();
      ahead += burst.size();
    } else {
      pollfd polled = {to.fd(), POLLIN, 0};
      if (poll(&polled, 1, kPatienceMs) == 0) ahead = 0;
    }
    for (const auto frame : to.Receive()) {
      if (!IsOurs(frame)) continue;
      ++received;
      if (ahead > 0) --ahead;
    }
  }
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begun;
  std::printf("{\"sent\": %zu, \"received\": %zu, \"seconds\": %f}\n", sent,
              received, took.count());
  return 0;
}

}  // namespace
}  // namespace lwt::bad_link

int main(int argc, char** argv) { return lwt::bad_link::Main(argc, argv); }
