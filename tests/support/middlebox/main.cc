// middlebox: joins two interfaces, mostly veth ends, and does to the TCP flows
// of one port what middleboxes do.
//
//   middlebox -a IF -b IF -port N [-cut BYTES] [-modulate 1] [-loss PERCENT]
//             [-seed N]
//
// Prints "ready" once it forwards, and one JSON object of counts on SIGUSR1
// and at the end, by SIGTERM or SIGINT.

#include <time.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <string_view>
#include <vector>

#include "tests/support/bad_link/joining.h"
#include "tests/support/middlebox/box.h"

namespace lwt::middlebox {
namespace {

constexpr int kUsage = 2;
// Of the virtio-net header that PACKET_VNET_HDR puts in front of frames.
constexpr size_t kVnetHeader = 10;

bool SetOption(std::string_view name, double value, Options& options) {
  if (name == "-port") {
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
  return true;
}

// A box for each direction; what one gives goes on at once.
class Boxes {
 public:
  Boxes(const Options& options, bad_link::Legs& legs)
      : legs_(legs), boxes_{Box(options), Box(options)} {}

  void PrintCounts() const {
    std::printf("{");
    for (size_t i = 0; i < boxes_.size(); ++i) {
      const Counts& counts = boxes_[i].counts();
      std::printf("%s\"%s\": {\"taken\": %" PRIu64 ", \"given\": %" PRIu64
                  ", \"rewritten\": %" PRIu64 ", \"lost\": %" PRIu64 "}",
                  i == 0 ? "" : ", ", i == 0 ? "a_to_b" : "b_to_a",
                  counts.taken, counts.given, counts.rewritten, counts.lost);
    }
    std::printf("}\n");
  }

  static timespec LongestWait() { return {1, 0}; }

  void TakeIn(size_t leg) {
    out_.clear();
    boxes_[leg].Pass(legs_[leg].Receive(), out_);
    legs_[1 - leg].Send(out_);
  }

  void SendDue() {}

 private:
  bad_link::Legs& legs_;
  std::array<Box, 2> boxes_;
  std::vector<Frame> out_;
};

int Main(int argc, char** argv) {
  bad_link::Interfaces interfaces;
  Options options;
  const auto set = [&options](std::string_view name, double value) {
    return SetOption(name, value, options);
  };
  if (!bad_link::ReadPairs(argc, argv, interfaces, set) || options.port == 0) {
    std::fprintf(stderr,
                 "usage: middlebox -a IF -b IF -port N [-cut BYTES] "
                 "[-modulate 1] [-loss PERCENT] [-seed N]\n");
    return kUsage;
  }
  options.prefix = kVnetHeader;
  bad_link::Legs legs;
  if (!bad_link::OpenLegs("middlebox", interfaces, legs)) return 1;
  Boxes boxes(options, legs);
  return bad_link::RunJoint(legs, boxes);
}

}  // namespace
}  // namespace lwt::middlebox

int main(int argc, char** argv) { return lwt::middlebox::Main(argc, argv); }
