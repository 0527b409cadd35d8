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
  if (in_flight() >= options_.queue_frames) {
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
  const bool late = Chance(options_.reorder);
  if (late) {
    ++counts_.reordered;
    arrival_us += options_.reorder_us;
  } else {
    last_arrival_us_ = arrival_us;
  }
  if (Chance(options_.duplicate)) {
    ++counts_.duplicated;
    Push(arrival_us, late, frame);
  }
  Push(arrival_us, late, std::move(frame));
}

void LinkModel::Push(uint64_t arrival_us, bool late, Frame frame) {
  if (in_flight() >= options_.queue_frames) {
    ++counts_.overflowed;
    return;
  }
  InFlight next{arrival_us, next_order_++, std::move(frame)};
  if (late) {
    late_.push(std::move(next));
  } else {
    in_order_.push_back(std::move(next));
  }
}

bool LinkModel::LateIsNext() const {
  return !late_.empty() &&
         (in_order_.empty() || in_order_.front() > late_.top());
}

std::optional<Frame> LinkModel::Take(uint64_t now_us) {
  const std::optional<uint64_t> next_us = NextArrival();
  if (!next_us || *next_us > now_us) return std::nullopt;
  ++counts_.delivered;
  if (!LateIsNext()) {
    Frame frame = std::move(in_order_.front().frame);
    in_order_.pop_front();
    return frame;
  }
  // top() is const only to keep the order, which the frame is no part of.
  Frame frame = std::move(const_cast<InFlight&>(late_.top()).frame);
  late_.pop();
  return frame;
}

std::optional<uint64_t> LinkModel::NextArrival() const {
  if (LateIsNext()) return late_.top().arrival_us;
  if (in_order_.empty()) return std::nullopt;
  return in_order_.front().arrival_us;
}

}  // namespace lwt::bad_link
