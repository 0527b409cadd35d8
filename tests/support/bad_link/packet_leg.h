// One end of a bad link: a packet socket on an interface. Frames carry the
// virtio-net header in front, so that unfinished checksums and super-frames
// pass whole; switch segmentation off at the legs to lose single segments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/support/bad_link/link_model.h"

namespace lwt::bad_link {

class PacketLeg {
 public:
  PacketLeg() = default;
  ~PacketLeg();
  PacketLeg(const PacketLeg&) = delete;
  PacketLeg& operator=(const PacketLeg&) = delete;

  // False, with the reason in errno, when the interface or the right to raw
  // sockets is missing.
  bool Open(const std::string& interface);

  // Frames that have come, at most kBurst; none when there are none. The
  // memory is the leg's until the next call.
  std::span<const std::span<const uint8_t>> Receive();

  // Sends in order; frames that the interface refuses are lost.
  void Send(std::span<const Frame> frames);

  int fd() const { return fd_; }
  uint64_t refused() const { return refused_; }

  static constexpr size_t kBurst = 64;

 private:
  // 64 KiB of a super-frame, its link header and the virtio-net header.
  static constexpr size_t kFrameBytes = 65536 + 64;

  int fd_ = -1;
  uint64_t refused_ = 0;
  std::vector<uint8_t> memory_;
  std::vector<std::span<const uint8_t>> received_;
};

}  // namespace lwt::bad_link
