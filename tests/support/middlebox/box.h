// What middleboxes do to a TCP flow, frame by frame: other segments, other
// sequence numbers. No I/O; the same for the same seed.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace lwt::middlebox {

using Frame = std::vector<uint8_t>;

struct Options {
  // Frames begin with so many bytes that are passed on as zeros (the
  // virtio-net header of a packet socket).
  size_t prefix = 0;
  uint16_t port = 0;  // only flows to and from it are touched
  // Payloads that follow each other are put together and cut again, anywhere,
  // into segments of at most this; 0 leaves them.
  size_t cut = 0;
  bool modulate = false;  // sequence numbers, each direction by its own amount
  double loss = 0;        // probability, of each frame sent on
  uint64_t seed = 1;
};

struct Counts {
  uint64_t taken = 0;  // segments with payload
  uint64_t given = 0;  // segments with payload, made
  uint64_t rewritten = 0;
  uint64_t lost = 0;
};

// One direction.
class Box {
 public:
  explicit Box(const Options& options);

  // Appends to `out` what becomes of frames that came together.
  void Pass(std::span<const std::span<const uint8_t>> frames,
            std::vector<Frame>& out);

  const Counts& counts() const { return counts_; }

 private:
  struct Train;

  void Flush(Train& train, std::vector<Frame>& out);
  void Emit(Frame frame, std::vector<Frame>& out);
  void Modulate(Frame& frame);

  const Options options_;
  std::mt19937_64 random_;
  Counts counts_;
};

}  // namespace lwt::middlebox
