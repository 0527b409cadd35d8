// bad_link: a user-space link between two interfaces, mostly veth ends, that
// delays, loses, corrupts, reorders, duplicates and limits, the same way for
// the same seed. -burst is the mean run of lost frames.
//
//   bad_link -a IF -b IF [-delay-ms N] [-jitter-ms N] [-loss PERCENT]
//            [-burst N] [-corrupt PERCENT] [-reorder PERCENT]
//            [-duplicate PERCENT] [-rate-mbit N] [-queue-frames N] [-seed N]
//            [-bare 1]
//
// -bare asks no model: a wire that only counts, which tells what the model
// costs beside the same system calls on the same machine.
//
// Prints "ready" once it forwards, and one JSON object of counts on SIGUSR1
// and at the end, by SIGTERM or SIGINT.

#include <time.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <string_view>
#include <vector>

#include "tests/support/bad_link/joining.h"
#include "tests/support/bad_link/link_model.h"

namespace lwt::bad_link {
namespace {

uint64_t NowUs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

bool SetNumber(std::string_view name, double value, LinkOptions& link) {
  if (name == "-delay-ms") {
    link.delay_us = static_cast<uint64_t>(value * 1000);
  } else if (name == "-jitter-ms") {
    link.jitter_us = static_cast<uint64_t>(value * 1000);
  } else if (name == "-loss") {
    link.loss = value / 100;
  } else if (name == "-burst") {
    link.burst = value;
  } else if (name == "-corrupt") {
    link.corrupt = value / 100;
  } else if (name == "-rate-mbit") {
    link.rate_bps = static_cast<uint64_t>(value * 1e6);
  } else if (name == "-queue-frames") {
    link.queue_frames = static_cast<size_t>(value);
  } else if (name == "-reorder") {
    link.reorder = value / 100;
  } else if (name == "-duplicate") {
    link.duplicate = value / 100;
  } else if (name == "-seed") {
    link.seed = static_cast<uint64_t>(value);
  } else {
    return false;
  }
  return true;
}

LinkOptions SeededFor(LinkOptions options, uint64_t direction) {
  options.seed = options.seed * 2 + direction;
  return options;
}

class Link {
 public:
  Link(const LinkOptions& options, Legs& legs)
      : legs_(legs),
        models_{LinkModel(SeededFor(options, 0)),
                LinkModel(SeededFor(options, 1))} {}

  void PrintCounts() const {
    std::printf("{");
    for (size_t i = 0; i < 2; ++i) {
      const LinkCounts& counts = models_[i].counts();
      std::printf("%s\"%s\": {\"offered\": %" PRIu64 ", \"delivered\": %" PRIu64
                  ", \"lost\": %" PRIu64 ", \"corrupted\": %" PRIu64
                  ", \"duplicated\": %" PRIu64 ", \"reordered\": %" PRIu64
                  ", \"overflowed\": %" PRIu64 ", \"refused\": %" PRIu64
                  ", \"largest\": %zu}",
                  i == 0 ? "" : ", ", i == 0 ? "a_to_b" : "b_to_a",
                  counts.offered, counts.delivered, counts.lost,
                  counts.corrupted, counts.duplicated, counts.reordered,
                  counts.overflowed, legs_[1 - i].refused(), counts.largest);
    }
    std::printf("}\n");
  }

  timespec LongestWait() const {
    uint64_t next_us = UINT64_MAX;
    for (const LinkModel& model : models_) {
      next_us = std::min(next_us, model.NextArrival().value_or(UINT64_MAX));
    }
    if (next_us == UINT64_MAX) return {1, 0};
    const uint64_t now_us = NowUs();
    const uint64_t wait_us = next_us > now_us ? next_us - now_us : 0;
    return {static_cast<time_t>(wait_us / 1'000'000),
            static_cast<long>(wait_us % 1'000'000 * 1000)};
  }

  void TakeIn(size_t leg) {
    const uint64_t now_us = NowUs();
    for (const std::span<const uint8_t> bytes : legs_[leg].Receive()) {
      models_[leg].Offer(now_us, Frame(bytes.begin(), bytes.end()));
    }
  }

  void SendDue() {
    for (size_t i = 0; i < 2; ++i) SendDue(i);
  }

 private:
  void SendDue(size_t from) {
    const uint64_t now_us = NowUs();
    due_.clear();
    while (std::optional<Frame> frame = models_[from].Take(now_us)) {
      due_.push_back(std::move(*frame));
    }
    legs_[1 - from].Send(due_);
  }

  Legs& legs_;
  std::array<LinkModel, 2> models_;  // [i]: what came in at leg i
  std::vector<Frame> due_;
};

// What comes in at one leg leaves by the other.
class BareWire {
 public:
  explicit BareWire(Legs& legs) : legs_(legs) {}

  void PrintCounts() const {
    std::printf("{\"a_to_b\": {\"offered\": %" PRIu64
                "}, \"b_to_a\": {\"offered\": %" PRIu64 "}}\n",
                offered_[0], offered_[1]);
  }

  timespec LongestWait() const { return {1, 0}; }

  void TakeIn(size_t leg) {
    frames_.clear();
    for (const std::span<const uint8_t> bytes : legs_[leg].Receive()) {
      frames_.emplace_back(bytes.begin(), bytes.end());
    }
    offered_[leg] += frames_.size();
    legs_[1 - leg].Send(frames_);
  }

  void SendDue() {}

 private:
  Legs& legs_;
  std::array<uint64_t, 2> offered_{};  // [i]: what came in at leg i
  std::vector<Frame> frames_;
};

int Main(int argc, char** argv) {
  Interfaces interfaces;
  LinkOptions options;
  bool bare = false;
  const auto set = [&options, &bare](std::string_view name, double value) {
    if (name != "-bare") return SetNumber(name, value, options);
    bare = value != 0;
    return true;
  };
  if (!ReadPairs(argc, argv, interfaces, set)) {
    std::fprintf(stderr,
                 "usage: bad_link -a IF -b IF [-delay-ms N] [-jitter-ms N] "
                 "[-loss PERCENT] [-burst N] [-corrupt PERCENT] "
                 "[-reorder PERCENT] [-duplicate PERCENT] [-rate-mbit N] "
                 "[-queue-frames N] [-seed N] [-bare 1]\n");
    return 2;
  }
  Legs legs;
  if (!OpenLegs("bad_link", interfaces, legs)) return 1;
  if (bare) {
    BareWire wire(legs);
    return RunJoint(legs, wire);
  }
  Link link(options, legs);
  return RunJoint(legs, link);
}

}  // namespace
}  // namespace lwt::bad_link

int main(int argc, char** argv) { return lwt::bad_link::Main(argc, argv); }
