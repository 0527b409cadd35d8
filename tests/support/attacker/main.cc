// attacker: floods one TCP port over IPv4 at a steady rate with segments that
// it makes itself, from addresses that need not be its own.
//
//   attacker KIND -device IF -next-hop MAC -to ADDRESS:PORT -from PREFIX
//            -rate N [-count N] [-hello HEX] [-seed N]
//
//   sweep   segments of every kind, ports and numbers at random: what somebody
//           sends who knows the addresses of a connection and nothing else
//   syn     SYNs whose answers nobody takes
//   silent  connections that are made, and never said a word on nor ended
//   hello   the same, with the bytes of -hello for a first message
//
// Senders are the addresses of -from in turn; for silent and hello answers to
// them have to come to IF. Ends after -count segments of its own (connections,
// of silent and hello), or by SIGTERM, then prints one JSON object: what it
// sent and got, and the seconds that took.

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/attacker/forged.h"
#include "tests/support/bad_link/packet_leg.h"

namespace lwt::attacker {
namespace {

using Clock = std::chrono::steady_clock;
using Arguments = std::map<std::string, std::string>;

enum class Kind { kSweep, kSyn, kSilent, kHello };

struct Options {
  Kind kind{};
  std::string device;
  Mac own{};
  Mac next_hop{};
  End to;
  uint32_t network = 0;
  uint32_t hosts = 1;
  uint64_t rate = 0;
  uint64_t count = UINT64_MAX;
  std::vector<uint8_t> hello;
  uint64_t seed = 1;
};

struct Counts {
  uint64_t sent = 0;  // answers of ours included
  uint64_t begun = 0;
  uint64_t accepted = 0;  // SYN-ACKs
  uint64_t alerts = 0;    // segments that end with FIN
  uint64_t resets = 0;
};

volatile sig_atomic_t stopped = 0;

bool ReadMac(const char* text, Mac& mac) {
  return std::sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0],
                     &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

bool ReadAddress(const std::string& text, uint32_t& address) {
  in_addr read{};
  if (inet_pton(AF_INET, text.c_str(), &read) != 1) return false;
  address = ntohl(read.s_addr);
  return true;
}

bool MacOf(const std::string& device, Mac& mac) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  const bool known = ioctl(fd, SIOCGIFHWADDR, &request) == 0;
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  close(fd);
  return known;
}

bool ReadKind(std::string_view name, Kind& kind) {
  const std::map<std::string_view, Kind> kinds = {{"sweep", Kind::kSweep},
                                                  {"syn", Kind::kSyn},
                                                  {"silent", Kind::kSilent},
                                                  {"hello", Kind::kHello}};
  const auto found = kinds.find(name);
  if (found == kinds.end()) return false;
  kind = found->second;
  return true;
}

bool ReadEnds(Arguments& words, Options& options) {
  const std::string to = words["-to"];
  const std::string from = words["-from"];
  const size_t colon = to.find(':');
  const size_t slash = from.find('/');
  if (colon == std::string::npos || slash == std::string::npos) return false;
  options.to.port = static_cast<uint16_t>(std::atoi(&to[colon + 1]));
  options.hosts = 1u << (32 - std::atoi(&from[slash + 1]));
  return ReadAddress(to.substr(0, colon), options.to.address) &&
         ReadAddress(from.substr(0, slash), options.network);
}

bool Read(int argc, char** argv, Options& options) {
  if (argc < 2 || argc % 2 != 0 || !ReadKind(argv[1], options.kind)) {
    return false;
  }
  Arguments words;
  for (int i = 2; i < argc; i += 2) words[argv[i]] = argv[i + 1];
  options.device = words["-device"];
  options.rate = std::strtoull(words["-rate"].c_str(), nullptr, 10);
  if (words.contains("-count")) {
    options.count = std::strtoull(words["-count"].c_str(), nullptr, 10);
  }
  if (words.contains("-seed")) {
    options.seed = std::strtoull(words["-seed"].c_str(), nullptr, 10);
  }
  const std::string& hello = words["-hello"];
  for (size_t i = 0; i + 1 < hello.size(); i += 2) {
    options.hello.push_back(static_cast<uint8_t>(
        std::strtoul(hello.substr(i, 2).c_str(), nullptr, 16)));
  }
  return options.rate > 0 && ReadEnds(words, options) &&
         ReadMac(words["-next-hop"].c_str(), options.next_hop) &&
         MacOf(options.device, options.own);
}

class Attack {
 public:
  Attack(const Options& options, bad_link::PacketLeg& leg)
      : options_(options), leg_(leg), random_(options.seed) {}

  void Run() {
    const Clock::time_point begun = Clock::now();
    while (stopped == 0 && counts_.begun < options_.count) {
      const std::chrono::duration<double> passed = Clock::now() - begun;
      const auto due =
          static_cast<uint64_t>(passed.count() * double(options_.rate));
      while (counts_.begun < std::min(due, options_.count)) SendBurst(due);
      Listen(1);
    }
    // The answers to the last ones.
    for (int quiet = 0; stopped == 0 && quiet < 100; ++quiet) {
      if (Listen(1)) quiet = 0;
    }
    const std::chrono::duration<double> took = Clock::now() - begun;
    std::printf("{\"sent\": %" PRIu64 ", \"begun\": %" PRIu64
                ", \"accepted\": %" PRIu64 ", \"ended\": %" PRIu64
                ", \"resets\": %" PRIu64 ", \"seconds\": %f}\n",
                counts_.sent, counts_.begun, counts_.accepted, counts_.alerts,
                counts_.resets, took.count());
  }

 private:
  bool connects() const {
    return options_.kind == Kind::kSilent || options_.kind == Kind::kHello;
  }

  void SendBurst(uint64_t due) {
    out_.clear();
    while (out_.size() < bad_link::PacketLeg::kBurst &&
           counts_.begun < std::min(due, options_.count)) {
      Push(Next(counts_.begun++));
    }
    Flush();
  }

  Segment Next(uint64_t n) {
    Segment segment;
    segment.from.address =
        options_.network + static_cast<uint32_t>(n % options_.hosts);
    segment.to = options_.to;
    segment.seq = static_cast<uint32_t>(random_());
    // Each address uses its ports one after the other.
    segment.from.port =
        static_cast<uint16_t>(1024 + n / options_.hosts % 64000);
    segment.flags = kSyn;
    if (options_.kind == Kind::kSweep) {
      static constexpr uint8_t kFlags[] = {
          kAck, kAck | kPsh, kRst, kSyn, kRst | kAck, kFin | kAck, kSyn | kAck};
      segment.from.port = static_cast<uint16_t>(1024 + random_() % 64000);
      segment.ack = static_cast<uint32_t>(random_());
      segment.flags = kFlags[n % std::size(kFlags)];
      if ((segment.flags & kPsh) != 0) segment.payload = kGarbage;
    }
    return segment;
  }

  // Takes what has come within `wait_ms`; whether anything has.
  bool Listen(int wait_ms) {
    pollfd polled = {leg_.fd(), POLLIN, 0};
    if (poll(&polled, 1, wait_ms) <= 0) return false;
    out_.clear();
    for (const auto frame : leg_.Receive()) {
      const std::optional<Segment> segment = ParseFrame(frame);
      if (segment && IsForUs(*segment)) Answer(*segment);
    }
    Flush();
    return true;
  }

  // Other connections of this host are not its own.
  bool IsForUs(const Segment& heard) const {
    return heard.from.address == options_.to.address &&
           heard.from.port == options_.to.port &&
           heard.to.address - options_.network < options_.hosts;
  }

  void Answer(const Segment& heard) {
    if ((heard.flags & kRst) != 0) ++counts_.resets;
    if ((heard.flags & kFin) != 0) ++counts_.alerts;
    if ((heard.flags & (kSyn | kAck)) != (kSyn | kAck)) return;
    ++counts_.accepted;
    if (!connects()) return;
    Segment reply;
    reply.from = heard.to;
    reply.to = heard.from;
    reply.seq = heard.ack;
    reply.ack = heard.seq + 1;
    reply.flags = kAck;
    Push(reply);
    if (options_.kind != Kind::kHello) return;
    reply.flags = kAck | kPsh;
    reply.payload = options_.hello;
    Push(reply);
  }

  void Push(const Segment& segment) {
    out_.push_back(MakeFrame(options_.own, options_.next_hop, segment));
  }

  void Flush() {
    leg_.Send(out_);
    counts_.sent += out_.size();
    out_.clear();
  }

  static constexpr uint8_t kGarbage[64] = {};

  const Options& options_;
  bad_link::PacketLeg& leg_;
  std::mt19937_64 random_;
  Counts counts_;
  std::vector<bad_link::Frame> out_;
};

int Main(int argc, char** argv) {
  Options options;
  if (!Read(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: attacker sweep|syn|silent|hello -device IF -next-hop "
                 "MAC -to ADDRESS:PORT -from PREFIX -rate N [-count N] "
                 "[-hello HEX] [-seed N]\n");
    return 2;
  }
  bad_link::PacketLeg leg;
  if (!leg.Open(options.device)) {
    std::perror("attacker");
    return 1;
  }
  signal(SIGTERM, [](int) { stopped = 1; });
  Attack(options, leg).Run();
  return 0;
}

}  // namespace
}  // namespace lwt::attacker

int main(int argc, char** argv) { return lwt::attacker::Main(argc, argv); }
