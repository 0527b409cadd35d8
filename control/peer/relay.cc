#include "control/peer/relay.h"

#include <algorithm>
#include <utility>

namespace lwt::peer {
namespace {

// The worker is told of what was taken in steps of this, at least.
constexpr uint64_t kConsumeStep = 8 * 1024;

}  // namespace

Relay::Relay(WorkerLink& link, FlowId flow) : link_(link), flow_(flow) {
  link_.Send(SpliceCommand{flow_});
}

Relay::~Relay() {
  if (flow_up_) link_.Send(CloseFlowCommand{flow_});
}

void Relay::OnStream(const PuntedStream& stream) {
  const bool fits = held_ + stream.bytes.size() <= kWindow;
  std::vector<uint8_t>& chunk = chunks_[stream.stream_offset];
  if (fits && stream.end() > taken_ && chunk.size() < stream.bytes.size()) {
    held_ += stream.bytes.size() - chunk.size();
    chunk = stream.bytes;
  }
  if (chunk.empty()) chunks_.erase(stream.stream_offset);
}

void Relay::OnRoom(uint64_t limit) { limit_ = std::max(limit_, limit); }

std::span<const uint8_t> Relay::ForService() {
  while (!chunks_.empty()) {
    const auto& [offset, bytes] = *chunks_.begin();
    if (offset > taken_) return {};
    if (offset + bytes.size() > taken_) {
      return std::span(bytes).subspan(taken_ - offset);
    }
    held_ -= bytes.size();
    chunks_.erase(chunks_.begin());
  }
  return {};
}

void Relay::ServiceTook(size_t size) {
  taken_ += size;
  if (ForService().empty() || taken_ - told_ >= kConsumeStep) {
    link_.Send(ConsumeCommand{flow_, taken_});
    told_ = taken_;
  }
}

bool Relay::VisitorDone() { return ended_ && ForService().empty(); }

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
