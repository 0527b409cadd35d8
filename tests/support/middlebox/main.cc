// middlebox: joins two interfaces, mostly veth ends, and does to the TCP flows
// of one port what middleboxes do.
//
//   middlebox -a IF -b IF -port N [-cut BYTES] [-modulate 1] [-loss PERCENT]
//             [-seed N]
//
// Prints "ready" once it forwards, and one JSON object of counts on SIGUSR1
// and at the end, by SIGTERM or SIGINT.

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
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

#include "tests/support/bad_link/packet_leg.h"
#include "tests/support/middlebox/box.h"

namespace lwt::middlebox {
namespace {

constexpr int kUsage = 2;
// Of the virtio-net header that PACKET_VNET_HDR puts in front of frames.
constexpr size_t kVnetHeader = 10;

struct Arguments {
  std::array<std::string, 2> interfaces;
  Options options;
};

bool ReadArguments(int argc, char** argv, Arguments& arguments) {
  Options& options = arguments.options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const double value = std::strtod(argv[i + 1], nullptr);
    if (name == "-a" || name == "-b") {
      arguments.interfaces[name == "-b"] = argv[i + 1];
    } else if (name == "-port") {
      options.port = static_cast<uint16_t>(value);
    } else if (name == "-cut") {
      options.cut = static_cast<size_t>(value);
    } else if (name == "-modulate") {
      options.modulate = value != 0;
    } else if (name == "-loss") {
      options.loss = value / 100;
    } else if (name == "-seed") {
      options.seed = static_cast<uint64_t>(value);
    } else {
      return false;
    }
  }
  return argc % 2 == 1 && !arguments.interfaces[0].empty() &&
         !arguments.interfaces[1].empty() && options.port != 0;
}

int SignalDescriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    sigaddset(&signals, signal);
  }
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void PrintCounts(const std::array<Box, 2>& boxes) {
  std::printf("{");
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Counts& counts = boxes[i].counts();
    std::printf("%s\"%s\": {\"taken\": %" PRIu64 ", \"given\": %" PRIu64
                ", \"rewritten\": %" PRIu64 ", \"lost\": %" PRIu64 "}",
                i == 0 ? "" : ", ", i == 0 ? "a_to_b" : "b_to_a", counts.taken,
                counts.given, counts.rewritten, counts.lost);
  }
  std::printf("}\n");
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!ReadArguments(argc, argv, arguments)) {
    std::fprintf(stderr,
                 "usage: middlebox -a IF -b IF -port N [-cut BYTES] "
                 "[-modulate 1] [-loss PERCENT] [-seed N]\n");
    return kUsage;
  }
  arguments.options.prefix = kVnetHeader;
  std::array<bad_link::PacketLeg, 2> legs;
  for (size_t i = 0; i < legs.size(); ++i) {
    if (legs[i].Open(arguments.interfaces[i])) continue;
    std::fprintf(stderr, "middlebox: %s: %s\n", arguments.interfaces[i].c_str(),
                 std::strerror(errno));
    return 1;
  }
  std::array<Box, 2> boxes = {Box(arguments.options), Box(arguments.options)};
  const int signals = SignalDescriptor();
  if (signals < 0) return 1;
  std::array<pollfd, 3> polled = {{{signals, POLLIN, 0},
                                   {legs[0].fd(), POLLIN, 0},
                                   {legs[1].fd(), POLLIN, 0}}};
  std::puts("ready");
  std::fflush(stdout);
  std::vector<Frame> out;
  while (poll(polled.data(), polled.size(), -1) > 0) {
    if ((polled[0].revents & POLLIN) != 0) {
      signalfd_siginfo caught{};
      if (read(signals, &caught, sizeof caught) != sizeof caught) return 1;
      PrintCounts(boxes);
      if (caught.ssi_signo != SIGUSR1) return 0;
    }
    for (size_t i = 0; i < 2; ++i) {
      if ((polled[i + 1].revents & POLLIN) == 0) continue;
      out.clear();
      boxes[i].Pass(legs[i].Receive(), out);
      legs[1 - i].Send(out);
    }
  }
  return 1;
}

}  // namespace
}  // namespace lwt::middlebox

int main(int argc, char** argv) { return lwt::middlebox::Main(argc, argv); }
