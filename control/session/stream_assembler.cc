#include "control/session/stream_assembler.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace lwt::peer {

void Reinject(WorkerLink& link, const PuntedStream& stream, uint64_t from) {
  if (stream.end() <= from) return;
  const uint64_t begin = std::max(from, stream.stream_offset);
  const auto skip = static_cast<ptrdiff_t>(begin - stream.stream_offset);
  link.Send(ReinjectCommand{
      stream.flow, begin, {stream.bytes.begin() + skip, stream.bytes.end()}});
}

bool StreamAssembler::Grow(size_t size) {
  if (size <= bytes_.size()) return true;
  if (!memory_.Take(Borrowed(size) - Borrowed(bytes_.size()))) return false;
  bytes_.reserve(size);  // and no more
  bytes_.resize(size);
  return true;
}

// Enters a range, one with those that it touches.
bool StreamAssembler::Note(Range range) {
  const auto first =
      std::find_if(ranges_.begin(), ranges_.end(),
                   [&](const Range& held) { return held.end >= range.begin; });
  const auto last = std::find_if(first, ranges_.end(), [&](const Range& held) {
    return held.begin > range.end;
  });
  if (first == last) {
    if (ranges_.size() == kMaxRanges) return false;
    ranges_.insert(first, range);
    return true;
  }
  first->begin = std::min(first->begin, range.begin);
  first->end = std::max(std::prev(last)->end, range.end);
  ranges_.erase(std::next(first), last);
  return true;
}

bool StreamAssembler::Add(const PuntedStream& stream, uint64_t limit) {
  const uint64_t begin = std::max(stream.stream_offset, position_);
  const uint64_t end = std::min({stream.end(), limit, kMaxStream});
  if (begin >= end) return stream.end() <= position_;
  if (!Grow(end) || !Note({begin, end})) return false;
  std::memcpy(&bytes_[begin], &stream.bytes[begin - stream.stream_offset],
              end - begin);
  return end == stream.end();
}

std::span<const uint8_t> StreamAssembler::At(uint64_t offset) const {
  for (const Range& range : ranges_) {
    if (range.begin <= offset && offset < range.end) {
      return {&bytes_[offset], range.end - offset};
    }
  }
  return {};
}

std::span<const uint8_t> StreamAssembler::Next() {
  const std::span<const uint8_t> bytes = Peek();
  position_ += bytes.size();
  return bytes;
}

std::vector<PuntedStream> StreamAssembler::Pieces(FlowId flow,
                                                  uint64_t from) const {
  std::vector<PuntedStream> pieces;
  for (const Range& range : ranges_) {
    const uint64_t begin = std::max(range.begin, from);
    if (begin >= range.end) continue;
    pieces.push_back({flow,
                      begin,
                      {bytes_.begin() + static_cast<ptrdiff_t>(begin),
                       bytes_.begin() + static_cast<ptrdiff_t>(range.end)}});
  }
  return pieces;
}

void StreamAssembler::Reinject(WorkerLink& link, FlowId flow,
                               uint64_t from) const {
  for (PuntedStream& piece : Pieces(flow, from)) {
    link.Send(
        ReinjectCommand{flow, piece.stream_offset, std::move(piece.bytes)});
  }
}

}  // namespace lwt::peer
