#include "dataplane/stages/cut_pieces.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/record.h"

namespace lwt {

CutPieces::CutPieces(uint32_t max_lanes)
    : boundaries_(max_lanes, kNoBoundary),
      shares_(max_lanes),
      scratch_(wire::kRecordFraming + wire::kMaxRecordLength) {}

CutPieces::~CutPieces() {
  for (Piece& piece : all()) rte_pktmbuf_free(piece.frame.mbuf);
}

Frame CutPieces::Take(Piece& piece) {
  const Frame frame = piece.frame;
  shares_.Remove(frame.lane, 1);
  piece = pieces_[--size_];
  return frame;
}

CutPieces::Piece& CutPieces::ToGiveUp() {
  const uint32_t lane = shares_.Largest();
  Piece* oldest = nullptr;
  for (Piece& piece : all()) {
    if (piece.frame.lane != lane) continue;
    if (oldest == nullptr || piece.since_us < oldest->since_us) oldest = &piece;
  }
  return *oldest;
}

CutPieces::Piece* CutPieces::FindHead(uint32_t lane, uint64_t offset) {
  for (Piece& piece : all()) {
    if (piece.frame.lane == lane && piece.start == Start::kKnown &&
        piece.begin() <= offset && offset <= piece.end()) {
      return &piece;
    }
  }
  return nullptr;
}

CutPieces::Piece* CutPieces::FindHolding(uint32_t lane, uint64_t offset) {
  for (Piece& piece : all()) {
    if (piece.Holds(lane, offset)) return &piece;
  }
  return nullptr;
}

CutPieces::Piece* CutPieces::FindEnding(uint32_t lane, uint64_t offset) {
  for (Piece& piece : all()) {
    if (piece.frame.lane == lane && piece.end() == offset) return &piece;
  }
  return nullptr;
}

std::span<uint8_t> CutPieces::Gather(uint32_t lane, uint64_t offset,
                                     size_t size) {
  size = std::min(size, scratch_.size());
  size_t have = 0;
  while (have < size) {
    const Piece* piece = FindHolding(lane, offset + have);
    if (piece == nullptr) break;
    const uint64_t skip = offset + have - piece->begin();
    const size_t count =
        std::min<size_t>(size - have, piece->frame.length - skip);
    std::memcpy(&scratch_[have], piece->frame.data + skip, count);
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
