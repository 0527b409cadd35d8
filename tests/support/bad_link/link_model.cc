#include "tests/support/bad_link/link_model.h"

#include <algorithm>
#include <utility>

namespace lwt::bad_link {
namespace {

// A packet socket gives the virtio-net header, then Ethernet's.
constexpr size_t kVirtioHeader = 10;
constexpr size_t kLinkHeader = kVirtioHeader + 14;

}  // namespace

LinkModel::LinkModel(const LinkOptions& options)
    : options_(options),
      random_(options.seed),
      losses_(options.loss, options.burst) {}

bool LinkModel::Chance(double probability) {
  return probability > 0 && LossProcess::Draw(random_) < probability;
}

// Addresses stay whole, so that the frame still arrives where it should.
void LinkModel::Corrupt(Frame& frame) {
  if (frame.size() <= kLinkHeader) return;
  ++counts_.corrupted;
  const size_t at = kLinkHeader + random_() % (frame.size() - kLinkHeader);
  frame[at] ^= static_cast<uint8_t>(1u << (random_() % 8));
}

// When the last bit of the frame is on the link.
uint64_t LinkModel::SerializedUs(uint64_t now_us, size_t size) {
  if (options_.rate_bps == 0) return now_us;
  const double takes_us =
      static_cast<double>(size) * 8e6 / static_cast<double>(options_.rate_bps);
  free_at_us_ = std::max(free_at_us_, static_cast<double>(now_us)) + takes_us;
  return static_cast<uint64_t>(free_at_us_);
}

void LinkModel::Offer(uint64_t now_us, Frame frame) {
  ++counts_.offered;
  if (frame.size() > kVirtioHeader) {
    counts_.largest = std::max(counts_.largest, frame.size() - kVirtioHeader);
  }
  // A full queue costs the link no time.
  if (queue_.size() >= options_.queue_frames) {
    ++counts_.overflowed;
    return;
  }
  const uint64_t sent_us = SerializedUs(now_us, frame.size());
  if (losses_.Next(random_)) {
    ++counts_.lost;
    return;
  }
  if (Chance(options_.corrupt)) Corrupt(frame);
  uint64_t arrival_us = sent_us + options_.delay_us;
  if (options_.jitter_us > 0) {
    arrival_us += random_() % (options_.jitter_us + 1);
  }
  arrival_us = std::max(arrival_us, last_arrival_us_);
  if (Chance(options_.reorder)) {
    ++counts_.reordered;
    arrival_us += options_.reorder_us;
  } else {
    last_arrival_us_ = arrival_us;
  }
  if (Chance(options_.duplicate)) {
    ++counts_.duplicated;
    Push(arrival_us, frame);
  }
  Push(arrival_us, std::move(frame));
}

void LinkModel::Push(uint64_t arrival_us, Frame frame) {
  if (queue_.size() >= options_.queue_frames) {
    ++counts_.overflowed;
    return;
  }
  queue_.push({arrival_us, next_order_++, std::move(frame)});
}

std::optional<Frame> LinkModel::Take(uint64_t now_us) {
  if (queue_.empty() || queue_.top().arrival_us > now_us) return std::nullopt;
  // top() is const only to keep the order, which the frame is no part of.
  Frame frame = std::move(const_cast<InFlight&>(queue_.top()).frame);
  queue_.pop();
  ++counts_.delivered;
  return frame;
}

std::optional<uint64_t> LinkModel::NextArrival() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.top().arrival_us;
}

}  // namespace lwt::bad_link
