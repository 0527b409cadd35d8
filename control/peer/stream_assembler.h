// The bytes of an unproven flow in order, out of punted frames that come in
// any order.
//
// Holds at most kMaxFrames frames and owns them. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "control/peer/worker_link.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

class StreamAssembler {
 public:
  static constexpr size_t kMaxFrames = 32;
  // No handshake is longer; what lies beyond is not kept.
  static constexpr uint64_t kMaxStream = 64 * 1024;

  explicit StreamAssembler(WorkerLink& link) : link_(link) {}
  StreamAssembler(const StreamAssembler&) = delete;
  StreamAssembler& operator=(const StreamAssembler&) = delete;
  ~StreamAssembler();

  // Takes the frame; one that brings nothing new, or finds no room, is freed.
  void Add(const PuntedStream& stream);

  // The next bytes in order, empty when they have not come. Valid until the
  // next call on this object.
  std::span<const uint8_t> Next();

  // Begins at stream offset `to` instead of 0; before the first Next().
  void StartAt(uint64_t to) { position_ = to; }

  // Stream offset behind what Next() returned.
  uint64_t position() const { return position_; }

  // The bytes in order from stream offset `from` on, at most `most`, copied;
  // Next() still gives them. `from` is not before the last span that Next()
  // returned.
  std::vector<uint8_t> Ahead(uint64_t from, size_t most) const;

  // Sends the worker every held byte from stream offset `from` on, which is
  // not before the last span that Next() returned, as received on `flow`.
  void Reinject(FlowId flow, uint64_t from);

 private:
  static uint64_t EndOf(const PuntedStream& stream) {
    return stream.stream_offset + stream.length;
  }

  WorkerLink& link_;
  std::vector<PuntedStream> frames_;  // by stream offset
  // The frame that Next() returned last, kept for what may be left in it.
  std::optional<PuntedStream> last_;
  uint64_t position_ = 0;
};

// Gives a punted frame back to the worker from stream offset `from` on; frees
// it when it has nothing there.
void ReinjectFrame(WorkerLink& link, const PuntedStream& stream, FlowId flow,
                   uint64_t from);

}  // namespace lwt::peer
