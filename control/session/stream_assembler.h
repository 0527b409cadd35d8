// The bytes of an unproven flow in order, out of pieces that come in any order.
//
// Keeps copies in memory of its own: one stretch of at most kMaxStream bytes,
// and at most kMaxRanges ranges of it that have come. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "control/workers/worker_link.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

// What the unproven flows of a gateway may keep in sum, beyond the first bytes
// of each. Outlives them.
class StreamMemory {
 public:
  explicit StreamMemory(size_t limit) : limit_(limit) {}
  StreamMemory(const StreamMemory&) = delete;
  StreamMemory& operator=(const StreamMemory&) = delete;

  bool Take(size_t bytes) {
    if (bytes > limit_ - used_) return false;
    used_ += bytes;
    return true;
  }
  void GiveBack(size_t bytes) { used_ -= bytes; }
  size_t used() const { return used_; }

 private:
  const size_t limit_;
  size_t used_ = 0;
};

class StreamAssembler {
 public:
  // Kept without asking: no honest handshake is longer, nor a join with its
  // first record, so what strangers keep stops none.
  static constexpr size_t kOwnBytes = 4096;
  // With sealed records that come right behind a handshake.
  static constexpr uint64_t kMaxStream = 64 * 1024;
  static constexpr size_t kMaxRanges = 16;

  explicit StreamAssembler(StreamMemory& memory) : memory_(memory) {}
  StreamAssembler(const StreamAssembler&) = delete;
  StreamAssembler& operator=(const StreamAssembler&) = delete;
  ~StreamAssembler() { memory_.GiveBack(Borrowed(bytes_.size())); }

  // Copies what is new below stream offset `limit`, at most kMaxStream. False
  // when something had no room; its sender does not repeat it.
  bool Add(const PuntedStream& stream, uint64_t limit = kMaxStream);
  bool empty() const { return ranges_.empty(); }

  // The bytes in order from position() on, empty when they have not come.
  // Valid until the next Add.
  std::span<const uint8_t> Peek() const { return At(position_); }
  // The same, and position() goes behind them.
  std::span<const uint8_t> Next();
  // The bytes in order from stream offset `offset` on.
  std::span<const uint8_t> At(uint64_t offset) const;
  // Goes on at stream offset `to`, not before position().
  void StartAt(uint64_t to) { position_ = to; }
  // Stream offset of what Peek() and Next() give.
  uint64_t position() const { return position_; }

  // All that is held, from stream offset `from` on.
  std::vector<PuntedStream> Pieces(FlowId flow, uint64_t from) const;
  // Gives the worker these, as received on `flow`.
  void Reinject(WorkerLink& link, FlowId flow, uint64_t from) const;

 private:
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
  };

  static size_t Borrowed(size_t size) {
    return size > kOwnBytes ? size - kOwnBytes : 0;
  }
  bool Grow(size_t size);
  bool Note(Range range);

  StreamMemory& memory_;
  std::vector<uint8_t> bytes_;  // from stream offset 0 on
  std::vector<Range> ranges_;   // of it that have come: sorted, none touch
  uint64_t position_ = 0;
};

// Gives the worker the bytes of a punted piece from stream offset `from` on.
void Reinject(WorkerLink& link, const PuntedStream& stream, uint64_t from);

}  // namespace lwt::peer
