// What the programs that stand between two interfaces share: a command line of
// pairs, two legs, and signals that ask for counts or for the end.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/support/bad_link/packet_leg.h"

namespace lwt::bad_link {

using Interfaces = std::array<std::string, 2>;
using Legs = std::array<PacketLeg, 2>;

// Reads "-a IF -b IF" and hands each other pair to `set(name, number)`. False
// when an interface is missing, or `set` says so, or what should be a number
// of zero or more is none.
template <typename Set>
bool ReadPairs(int argc, char** argv, Interfaces& interfaces, Set set) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "-a" || name == "-b") {
      interfaces[name == "-b"] = argv[i + 1];
      continue;
    }
    char* end = nullptr;
    const double value = std::strtod(argv[i + 1], &end);
    if (*end != '\0' || value < 0 || !set(name, value)) return false;
  }
  return argc % 2 == 1 && !interfaces[0].empty() && !interfaces[1].empty();
}

inline bool OpenLegs(const char* program, const Interfaces& interfaces,
                     Legs& legs) {
  for (size_t i = 0; i < legs.size(); ++i) {
    if (legs[i].Open(interfaces[i])) continue;
    std::fprintf(stderr, "%s: %s: %s\n", program, interfaces[i].c_str(),
                 std::strerror(errno));
    return false;
  }
  return true;
}

inline int SignalDescriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    sigaddset(&signals, signal);
  }
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

// Prints "ready" and lets `joint` forward: TakeIn(i) when leg i can be read,
// SendDue() after those, at the latest after LongestWait(). PrintCounts() on
// SIGUSR1 and at the end, by SIGTERM or SIGINT. The exit status.
template <typename Joint>
int RunJoint(const Legs& legs, Joint& joint) {
  const int signals = SignalDescriptor();
  if (signals < 0) return 1;
  std::array<pollfd, 3> polled = {{{signals, POLLIN, 0},
                                   {legs[0].fd(), POLLIN, 0},
                                   {legs[1].fd(), POLLIN, 0}}};
  std::puts("ready");
  std::fflush(stdout);
  while (true) {
    const timespec wait = joint.LongestWait();
    if (ppoll(polled.data(), polled.size(), &wait, nullptr) < 0) return 1;
    if ((polled[0].revents & POLLIN) != 0) {
      signalfd_siginfo caught{};
      if (read(signals, &caught, sizeof caught) != sizeof caught) return 1;
      joint.PrintCounts();
      std::fflush(stdout);
      if (caught.ssi_signo != SIGUSR1) return 0;
    }
    for (size_t i = 0; i < legs.size(); ++i) {
      if ((polled[i + 1].revents & POLLIN) != 0) joint.TakeIn(i);
    }
    joint.SendDue();
  }
}

}  // namespace lwt::bad_link
