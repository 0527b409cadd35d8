// Parts of records that were cut on the way, kept by their place in the stream
// until the rest comes.
//
// Owned by one worker. A fixed number for all its lanes, each in a buffer of
// the worker's pool; a full store takes from the lane that holds most. Looking
// one up walks those that are held, so it costs nothing while no middlebox
// makes segments of its own; what many of them hold together is found in one
// walk, in the order of the stream.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/fair_shares.h"
#include "dataplane/names.h"

namespace lwt {

class CutPieces {
 public:
  // Behind a hole a cut record leaves two parts or three: enough for some
  // dozens of holes at once.
  static constexpr size_t kCapacity = 128;
  // Longer than any hole is refilled (OuterTcp's forward point).
  static constexpr uint64_t kMaxAgeUs = 10'000'000;

  // What is known of a piece's first byte.
  enum class Start : uint8_t {
    kUnknown,  // the middle or the end of a record, or nothing of ours
    kGuess,    // looks like the start of a record that ends in another segment
    kKnown,    // a record begins
  };

  struct Piece {
    Frame frame;
    Start start = Start::kUnknown;
    uint64_t since_us = 0;
    // Of a guess: how far the bytes from its begin on were held without a hole
    // when they last grew, and the size that its framing tells, 0 before.
    uint64_t reach = 0;
    uint32_t size = 0;
    // Bytes were kept since it was looked at last, wherever.
    bool unsettled = false;

    bool ripe() const { return size != 0 && reach >= begin() + size; }
    uint64_t begin() const { return frame.stream_offset; }
    uint64_t end() const { return frame.stream_offset + frame.length; }
    bool Holds(LaneIndex lane, uint64_t offset) const {
      return frame.lane == lane && begin() <= offset && offset < end();
    }
  };

  explicit CutPieces(uint32_t max_lanes);
  ~CutPieces();
  CutPieces(const CutPieces&) = delete;
  CutPieces& operator=(const CutPieces&) = delete;

  // Where the record that was cut last on a lane ended, so the next begins.
  uint64_t boundary(LaneIndex lane) const { return boundaries_[lane.value]; }
  void SetBoundary(LaneIndex lane, uint64_t offset) {
    boundaries_[lane.value] = offset;
  }

  bool empty(LaneIndex lane) const { return shares_.held(lane) == 0; }
  uint32_t held(LaneIndex lane) const { return shares_.held(lane); }
  bool full() const { return size_ == kCapacity; }
  std::span<Piece> all() { return {pieces_.data(), size_}; }

  // There must be room. Takes the frame's reference.
  void Add(const Piece& piece);
  // Gives the reference back. The last piece takes the place of this one.
  Frame Take(Piece& piece);
  // The one that makes room: of the lane that holds most the one held for
  // longest. There must be one.
  Piece& ToGiveUp();

  // The begun record that `offset` continues, or that holds it already.
  Piece* FindHead(LaneIndex lane, uint64_t offset);
  // The piece that holds the byte at `offset`.
  Piece* FindHolding(LaneIndex lane, uint64_t offset);
  // The piece whose last byte is the one before `offset`.
  Piece* FindEnding(LaneIndex lane, uint64_t offset);
  // How far the bytes from `offset` on are held without a hole.
  uint64_t HeldTo(LaneIndex lane, uint64_t offset) const;
  // Copies the stream's bytes from `offset` on, as far as pieces hold them, at
  // most `size`. They stay valid until the next call.
  std::span<uint8_t> Gather(LaneIndex lane, uint64_t offset, size_t size);
  // Bytes that Gather has copied so far.
  uint64_t gathered() const { return gathered_; }
  // A copy of bytes in the same place.
  std::span<uint8_t> Copy(std::span<const uint8_t> bytes);

  // Takes out what `which` tells, after `drop` had it.
  template <typename Which, typename Drop>
  void RemoveIf(const Which& which, const Drop& drop) {
    for (size_t i = size_; i-- > 0;) {
      if (!which(pieces_[i])) continue;
      drop(pieces_[i]);
      Take(pieces_[i]);
    }
  }
  template <typename Drop>
  void Release(LaneIndex lane, const Drop& drop) {
    SetBoundary(lane, kNoBoundary);
    RemoveIf([lane](const Piece& piece) { return piece.frame.lane == lane; },
             drop);
  }

 private:
  static constexpr uint64_t kNoBoundary = UINT64_MAX;
  static_assert(kCapacity <= 256, "order_ holds places in octets");

  // The places of a lane's pieces, by where they begin.
  std::span<const uint8_t> InOrder(LaneIndex lane) const;

  std::vector<uint64_t> boundaries_;  // by lane
  LaneShares shares_;                 // pieces of each lane
  uint64_t gathered_ = 0;
  size_t size_ = 0;
  std::array<Piece, kCapacity> pieces_;
  std::array<uint8_t, kCapacity> order_;  // of all, by lane and begin
  std::vector<uint8_t> scratch_;
};

}  // namespace lwt
