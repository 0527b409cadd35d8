#include "control/fallback/relay.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace lwt::peer {
namespace {

// The worker is told of what was taken in steps of this, at least.
constexpr uint64_t kConsumeStep = 8 * 1024;
// Most say less.
constexpr size_t kLeastRing = 2048;

}  // namespace

Relay::Relay(WorkerLink& link, FlowId flow) : link_(link), flow_(flow) {
  link_.Send(SpliceCommand{flow_});
}

Relay::~Relay() {
  if (flow_up_) link_.Send(CloseFlowCommand{flow_});
}

void Relay::OnStream(const PuntedStream& stream) {
  Keep(stream.stream_offset, stream.bytes);
}

void Relay::Keep(uint64_t offset, std::span<const uint8_t> bytes) {
  const uint64_t skip = offset < taken_ ? taken_ - offset : 0;
  if (skip >= bytes.size()) return;
  bytes = bytes.subspan(skip);
  offset += skip;
  const uint64_t end = offset + bytes.size();
  if (end - taken_ > kWindow || !Note({offset, end})) {
    broken_ = true;
    return;
  }
  Grow(end - taken_);
  Write(offset, bytes);
}

// False when there are too many ranges.
bool Relay::Note(Range range) {
  // Those that overlap or touch become one.
  const auto first = std::lower_bound(
      ranges_.begin(), ranges_.end(), range.begin,
      [](const Range& held, uint64_t begin) { return held.end < begin; });
  auto last = first;
  while (last != ranges_.end() && last->begin <= range.end) ++last;
  if (first == last) {
    if (ranges_.size() == kMaxRanges) return false;
    ranges_.insert(first, range);
    return true;
  }
  first->begin = std::min(first->begin, range.begin);
  first->end = std::max((last - 1)->end, range.end);
  ranges_.erase(first + 1, last);
  return true;
}

// Doubles until `size` bytes from taken_ on have a place.
void Relay::Grow(size_t size) {
  if (size <= ring_.size()) return;
  std::vector<uint8_t> old(std::bit_ceil(std::max(size, kLeastRing)));
  std::swap(ring_, old);
  if (old.empty()) return;
  for (const Range& range : ranges_) {
    // What is being added now is written later, and may lie outside.
    const uint64_t end = std::min(range.end, taken_ + old.size());
    for (uint64_t at = range.begin; at < end;) {
      const size_t place = at % old.size();
      const size_t run = std::min<uint64_t>(end - at, old.size() - place);
      Write(at, std::span(old).subspan(place, run));
      at += run;
    }
  }
}

void Relay::Write(uint64_t offset, std::span<const uint8_t> bytes) {
  const size_t place = offset % ring_.size();
  const size_t first = std::min(bytes.size(), ring_.size() - place);
  std::copy_n(bytes.begin(), first, ring_.data() + place);
  std::copy(bytes.begin() + static_cast<ptrdiff_t>(first), bytes.end(),
            ring_.data());
}

void Relay::OnRoom(uint64_t limit) { limit_ = std::max(limit_, limit); }

std::span<const uint8_t> Relay::ForService() {
  if (ranges_.empty() || ranges_.front().begin != taken_) return {};
  const size_t place = taken_ % ring_.size();
  const size_t size =
      std::min<uint64_t>(ranges_.front().end - taken_, ring_.size() - place);
  return std::span(ring_).subspan(place, size);
}

void Relay::ServiceTook(size_t size) {
  if (size == 0) return;
  taken_ += size;
  ranges_.front().begin = taken_;
  if (ranges_.front().end == taken_) ranges_.erase(ranges_.begin());
  if (ForService().empty() || taken_ - told_ >= kConsumeStep) {
    link_.Send(ConsumeCommand{flow_, taken_});
    told_ = taken_;
  }
}

bool Relay::ProberDone() { return ended_ && ForService().empty(); }

size_t Relay::Room() const {
  if (!flow_up_ || limit_ <= sent_) return 0;
  return std::min<uint64_t>(limit_ - sent_, kChunk);
}

void Relay::FromService(std::span<const uint8_t> bytes) {
  if (bytes.empty() || !flow_up_) return;
  link_.Send(SendStreamCommand{flow_, {bytes.begin(), bytes.end()}});
  sent_ += bytes.size();
}

}  // namespace lwt::peer
