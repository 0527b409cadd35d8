// Keeps the parts of records that were cut on the way until the rest comes.
#include "dataplane/stages/cut_pieces.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/wire/record.h"

namespace lwt {

CutPieces::CutPieces(uint32_t max_lanes)
    : boundaries_(max_lanes, kNoBoundary),
      shares_(max_lanes),
      scratch_(wire::kRecordFraming + wire::kMaxRecordLength) {}

CutPieces::~CutPieces() {
  for (Piece& piece : all()) rte_pktmbuf_free(piece.frame.mbuf);
}

std::span<const uint8_t> CutPieces::InOrder(LaneIndex lane) const {
  const auto places = std::span(order_).first(size_);
  const auto from = std::partition_point(
      places.begin(), places.end(),
      [&](uint8_t place) { return pieces_[place].frame.lane < lane; });
  return places.subspan(static_cast<size_t>(from - places.begin()), held(lane));
}

void CutPieces::Add(const Piece& piece) {
  LWT_ASSERT(!full());
  const auto comes_before = [&](uint8_t place) {
    const Piece& other = pieces_[place];
    return std::pair(other.frame.lane, other.begin()) <
           std::pair(piece.frame.lane, piece.begin());
  };
  uint8_t* const end = order_.data() + size_;
  uint8_t* const at = std::partition_point(order_.data(), end, comes_before);
  std::copy_backward(at, end, end + 1);
  *at = static_cast<uint8_t>(size_);
  pieces_[size_++] = piece;
  shares_.Add(piece.frame.lane, 1);
}

Frame CutPieces::Take(Piece& piece) {
  const Frame frame = piece.frame;
  const auto place = static_cast<uint8_t>(&piece - pieces_.data());
  uint8_t* const end = order_.data() + size_;
  uint8_t* const at = std::find(order_.data(), end, place);
  std::copy(at + 1, end, at);
  const auto last = static_cast<uint8_t>(--size_);
  if (place != last) *std::find(order_.data(), end - 1, last) = place;
  shares_.Remove(frame.lane, 1);
  piece = pieces_[last];
  return frame;
}

CutPieces::Piece& CutPieces::ToGiveUp() {
  const LaneIndex lane = shares_.Largest();
  Piece* oldest = nullptr;
  for (Piece& piece : all()) {
    if (piece.frame.lane != lane) continue;
    if (oldest == nullptr || piece.since_us < oldest->since_us) oldest = &piece;
  }
  return *oldest;
}

CutPieces::Piece* CutPieces::FindHead(LaneIndex lane, uint64_t offset) {
  for (Piece& piece : all()) {
    if (piece.frame.lane == lane && piece.start == Start::kKnown &&
        piece.begin() <= offset && offset <= piece.end()) {
      return &piece;
    }
  }
  return nullptr;
}

CutPieces::Piece* CutPieces::FindHolding(LaneIndex lane, uint64_t offset) {
  for (Piece& piece : all()) {
    if (piece.Holds(lane, offset)) return &piece;
  }
  return nullptr;
}

CutPieces::Piece* CutPieces::FindEnding(LaneIndex lane, uint64_t offset) {
  for (Piece& piece : all()) {
    if (piece.frame.lane == lane && piece.end() == offset) return &piece;
  }
  return nullptr;
}

uint64_t CutPieces::HeldTo(LaneIndex lane, uint64_t offset) const {
  for (const uint8_t place : InOrder(lane)) {
    const Piece& piece = pieces_[place];
    if (piece.begin() > offset) break;
    if (piece.end() > offset) offset = std::max(piece.end(), piece.reach);
  }
  return offset;
}

std::span<uint8_t> CutPieces::Gather(LaneIndex lane, uint64_t offset,
                                     size_t size) {
  size = std::min(size, scratch_.size());
  size_t have = 0;
  for (const uint8_t place : InOrder(lane)) {
    const Piece& piece = pieces_[place];
    if (have == size || piece.begin() > offset + have) break;
    if (piece.end() <= offset + have) continue;
    const uint64_t skip = offset + have - piece.begin();
    const size_t count =
        std::min<size_t>(size - have, piece.frame.length - skip);
    std::memcpy(&scratch_[have], piece.frame.data + skip, count);
    have += count;
  }
  gathered_ += have;
  return {scratch_.data(), have};
}

std::span<uint8_t> CutPieces::Copy(std::span<const uint8_t> bytes) {
  const size_t size = std::min(bytes.size(), scratch_.size());
  std::memcpy(scratch_.data(), bytes.data(), size);
  return {scratch_.data(), size};
}

}  // namespace lwt
