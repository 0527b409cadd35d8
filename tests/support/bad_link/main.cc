// bad_link: a user-space link between two interfaces, mostly veth ends, that
// delays, loses, corrupts, reorders, duplicates and limits, the same way for
// the same seed. -burst is the mean run of lost frames.
//
//   bad_link -a IF -b IF [-delay-ms N] [-jitter-ms N] [-loss PERCENT]
//            [-burst N] [-corrupt PERCENT] [-reorder PERCENT]
//            [-duplicate PERCENT] [-rate-mbit N] [-queue-frames N] [-seed N]
//
// Prints "ready" once it forwards, and one JSON object of counts on SIGUSR1
// and at the end, by SIGTERM or SIGINT.

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/bad_link/link_model.h"
#include "tests/support/bad_link/packet_leg.h"

namespace lwt::bad_link {
namespace {

struct Arguments {
  std::array<std::string, 2> interfaces;
  LinkOptions link;
};

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

bool ReadArguments(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "-a" || name == "-b") {
      arguments.interfaces[name == "-b"] = argv[i + 1];
      continue;
    }
    char* end = nullptr;
    const double value = std::strtod(argv[i + 1], &end);
    if (*end != '\0' || value < 0 || !SetNumber(name, value, arguments.link)) {
      return false;
    }
  }
  return argc % 2 == 1 && !arguments.interfaces[0].empty() &&
         !arguments.interfaces[1].empty();
}

LinkOptions SeededFor(LinkOptions options, uint64_t direction) {
  options.seed = options.seed * 2 + direction;
  return options;
}

class Link {
 public:
  explicit Link(const LinkOptions& options)
      : models_{LinkModel(SeededFor(options, 0)),
                LinkModel(SeededFor(options, 1))} {}

  bool Open(const std::array<std::string, 2>& interfaces) {
    for (size_t i = 0; i < legs_.size(); ++i) {
      if (legs_[i].Open(interfaces[i])) continue;
      std::fprintf(stderr, "bad_link: %s: %s\n", interfaces[i].c_str(),
                   std::strerror(errno));
      return false;
    }
    return true;
  }

  // Forwards until `signals` can be read.
  void RunUntil(int signals) {
    std::array<pollfd, 3> polled = {{{signals, POLLIN, 0},
                                     {legs_[0].fd(), POLLIN, 0},
                                     {legs_[1].fd(), POLLIN, 0}}};
    while (true) {
      const timespec wait = TimeToNextArrival();
      if (ppoll(polled.data(), polled.size(), &wait, nullptr) > 0 &&
          (polled[0].revents & POLLIN) != 0) {
        return;
      }
      for (size_t i = 0; i < 2; ++i) {
        if ((polled[i + 1].revents & POLLIN) != 0) TakeIn(i);
      }
      for (size_t i = 0; i < 2; ++i) SendDue(i);
    }
  }

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
    std::fflush(stdout);
  }

 private:
  timespec TimeToNextArrival() const {
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

  void SendDue(size_t from) {
    const uint64_t now_us = NowUs();
    due_.clear();
    while (std::optional<Frame> frame = models_[from].Take(now_us)) {
      due_.push_back(std::move(*frame));
    }
    legs_[1 - from].Send(due_);
  }

  std::array<PacketLeg, 2> legs_;
  std::array<LinkModel, 2> models_;  // [i]: what came in at leg i
  std::vector<Frame> due_;
};

int SignalDescriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    sigaddset(&signals, signal);
  }
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!ReadArguments(argc, argv, arguments)) {
    std::fprintf(stderr,
                 "usage: bad_link -a IF -b IF [-delay-ms N] [-jitter-ms N] "
                 "[-loss PERCENT] [-burst N] [-corrupt PERCENT] "
                 "[-reorder PERCENT] [-duplicate PERCENT] [-rate-mbit N] "
                 "[-queue-frames N] [-seed N]\n");
    return 2;
  }
  Link link(arguments.link);
  const int signals = SignalDescriptor();
  if (signals < 0 || !link.Open(arguments.interfaces)) return 1;
  std::puts("ready");
  std::fflush(stdout);
  signalfd_siginfo caught{};
  do {
    link.RunUntil(signals);
    if (read(signals, &caught, sizeof caught) != sizeof caught) return 1;
    link.PrintCounts();
  } while (caught.ssi_signo == SIGUSR1);
  return 0;
}

}  // namespace
}  // namespace lwt::bad_link

int main(int argc, char** argv) { return lwt::bad_link::Main(argc, argv); }
