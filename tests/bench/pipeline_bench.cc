// Sender and receiver of two in-process gateways beside the bare cryptography
// and FEC of the same records, interleaved in each repetition; and the receiver
// with losses beside that without. All with the arithmetic of this CPU, and
// with that of one without VAES and GFNI. Prints one JSON object for each block
// of repetitions.
//
// usage: bench-pipeline [BLOCKS [SECONDS]]
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "dataplane/wire/record.h"
#include "tests/bench/gateway_rig.h"
#include "tests/bench/quiet_gate.h"
#include "tests/bench/reference.h"

namespace lwt::bench {
namespace {

constexpr size_t kFullSize = 1400;
constexpr std::array<size_t, 3> kSizes = {kFullSize, 64, 512};
constexpr int kWarmUp = 200;
constexpr int kBlocksOfVisit = 5;
constexpr int kMostVisits = 30;
constexpr size_t kMostRepetitions = 500;
constexpr double kLoss = 0.03;
// In steps; 0.2 ms: ACKs tell of losses later than FEC gives them back.
constexpr uint64_t kRoundTrip = 10;
// Until the windows have grown to what is under way in that time.
constexpr int kLossyWarmUp = 500;
// Steps with losses in a block: some thousand records.
constexpr size_t kLossyKept = 100;

struct Path {
  const char* name;
  RigOptions::Ports ports;
  bool offload;
  bool super_inside;
};
constexpr std::array<Path, 4> kPaths = {{
    {"ring, super-frames", RigOptions::Ports::kRing, true, true},
    {"ring, offload", RigOptions::Ports::kRing, true, false},
    {"ring", RigOptions::Ports::kRing, false, false},
    {"memif", RigOptions::Ports::kMemif, false, false},
}};
constexpr std::array<fec::Parameters, 5> kCodes = {
    {{}, {20, 2, 1}, {10, 3, 1}, {10, 5, 1}, {8, 6, 1}}};

constexpr fec::Parameters kTargetCode = {10, 3, 1};

struct Crypto {
  const char* name;
  Aead::Code code;
};
constexpr std::array<Crypto, 2> kCryptos = {
    {{"as the CPU is", Aead::Code::kBest},
     {"as without VAES and GFNI", Aead::Code::kAesni}}};

// As a gateway would choose it on such a CPU.
ReedSolomon::Code FecCodeFor(Aead::Code crypto) {
  static std::map<Aead::Code, ReedSolomon::Code> chosen;
  const auto at = chosen.find(crypto);
  if (at != chosen.end()) return at->second;
  std::span<const ReedSolomon::Code> among = ReedSolomon::kCodes;
  if (crypto == Aead::Code::kAesni) among = among.first(2);
  return chosen[crypto] = ReedSolomon::Calibrate(*Aead::Create(crypto), among);
}

RigOptions OptionsOf(const Path& path, size_t size, const fec::Parameters& code,
                     const Crypto& crypto) {
  RigOptions options;
  options.ports = path.ports;
  options.offload = path.offload;
  options.super_inside = path.super_inside;
  options.packet_size = size;
  options.code = code;
  options.crypto = crypto.code;
  options.fec_code = FecCodeFor(crypto.code);
  return options;
}

std::string NameOf(const fec::Parameters& code) {
  if (!code.on()) return "off";
  return std::to_string(code.data) + "+" + std::to_string(code.parity);
}

double PerPacket(uint64_t cycles) {
  return static_cast<double>(cycles) / GatewayRig::kBurst;
}

// One line of the results.
class Row {
 public:
  Row(const Path& path, const Crypto& crypto, const RigOptions& options)
      : path_(path.name),
        crypto_(crypto.name),
        size_(options.packet_size),
        code_(options.code) {}
  virtual ~Row() = default;

  // True when the block is complete.
  bool PrintBlock(QuietGate& gate) {
    const Block block = RunBlock(
        gate, [this] { return Repeat(); }, plan_);
    std::vector<double> figures;
    if (block.complete) figures = FiguresOf(block.figures);
    // A receiver that was given nothing has no cost of a packet.
    const bool complete =
        block.complete && std::ranges::all_of(figures, [](double figure) {
          return std::isfinite(figure);
        });
    std::printf(
        "{\"path\": \"%s\", \"crypto\": \"%s\", \"size\": %zu, "
        "\"code\": \"%s\", \"retransmit\": %s, \"complete\": %s, "
        "\"kept\": %zu, \"total\": %zu",
        path_, crypto_, size_, NameOf(code_).c_str(),
        retransmit_ ? "true" : "false", complete ? "true" : "false", block.kept,
        block.total);
    if (complete) {
      for (size_t i = 0; i < figures.size(); ++i) {
        std::printf(", \"%s\": %.1f", names_[i], figures[i]);
      }
    }
    std::printf("}\n");
    std::fflush(stdout);
    return complete;
  }

 protected:
  virtual std::vector<double> Repeat() = 0;
  // Cycles per packet, in the order of names_, of the block's figures.
  virtual std::vector<double> FiguresOf(const std::vector<double>& figures) {
    return figures;
  }

  std::vector<const char*> names_;
  bool retransmit_ = true;
  BlockPlan plan_ = {.most = kMostRepetitions};

 private:
  const char* const path_;
  const char* const crypto_;
  const size_t size_;
  const fec::Parameters code_;
};

// Both sides beside their references.
class CleanRow final : public Row {
 public:
  CleanRow(const Path& path, const Crypto& crypto, const RigOptions& options)
      : Row(path, crypto, options), rig_(options) {
    names_ = {"sender", "send_reference", "receiver", "open_reference"};
    for (int i = 0; i < kWarmUp; ++i) rig_.Step();
    Reference::Work work;
    work.records = DataRecords();
    work.size = GatewayRig::kBurst * (options.packet_size + wire::kShardWord) /
                work.records;
    work.code = options.code;
    work.crypto = options.crypto;
    work.fec_code = options.fec_code;
    reference_ = std::make_unique<Reference>(work);
    if (options.code.on()) {
      // Groups end at the same place of a burst again after so many.
      plan_.phases =
          options.code.data / std::gcd(size_t{options.code.data}, work.records);
      plan_.kept = kKeptPerBlock * 2;
    }
  }

 private:
  // Of a step; the same in each.
  size_t DataRecords() {
    constexpr uint64_t kSteps = 64;
    const uint64_t sealed = rig_.records_sealed();
    const uint64_t parities = rig_.parities_sent();
    for (uint64_t i = 0; i < kSteps; ++i) rig_.Step();
    const uint64_t data =
        rig_.records_sealed() - sealed - (rig_.parities_sent() - parities);
    return (data + kSteps / 2) / kSteps;
  }

  std::vector<double> Repeat() override {
    rig_.Feed();
    const uint64_t sender = CyclesOf([this] { rig_.RunClient(); });
    rig_.Carry();
    const uint64_t receiver = CyclesOf([this] { rig_.RunHub(); });
    rig_.Drain();
    const uint64_t send = CyclesOf([this] { reference_->Send(); });
    const uint64_t open = CyclesOf([this] { reference_->Open(); });
    return {PerPacket(sender), PerPacket(send), PerPacket(receiver),
            PerPacket(open)};
  }

  GatewayRig rig_;
  std::unique_ptr<Reference> reference_;
};

// The receiver of a link that loses frames, beside that of one that does not;
// cycles of a packet that arrives inside.
class LossyRow final : public Row {
 public:
  LossyRow(const Path& path, const Crypto& crypto, const RigOptions& options)
      : Row(path, crypto, options),
        clean_(Far(options, 0)),
        lossy_(Far(options, kLoss)) {
    names_ = {"clean", "lossy"};
    retransmit_ = options.retransmit;
    plan_.kept = kLossyKept;
    plan_.mean = true;
    for (int i = 0; i < kLossyWarmUp; ++i) {
      clean_.Step();
      lossy_.Step();
    }
  }

 private:
  static RigOptions Far(RigOptions options, double loss) {
    options.loss = loss;
    options.round_trip = kRoundTrip;
    return options;
  }
  static void AddStep(GatewayRig& rig, std::vector<double>& figures) {
    const uint64_t before = rig.delivered();
    rig.Feed();
    rig.RunClient();
    rig.Carry();
    const uint64_t cycles = CyclesOf([&rig] { rig.RunHub(); });
    rig.Drain();
    figures.push_back(static_cast<double>(cycles));
    figures.push_back(static_cast<double>(rig.delivered() - before));
  }
  std::vector<double> Repeat() override {
    std::vector<double> figures;
    AddStep(clean_, figures);
    AddStep(lossy_, figures);
    return figures;
  }
  std::vector<double> FiguresOf(const std::vector<double>& means) override {
    return {means[0] / means[1], means[2] / means[3]};
  }

  GatewayRig clean_;
  GatewayRig lossy_;
};

// Rows that take turns, block by block. Groups come one after the other, a few
// blocks at a time and again, that a noisy minute spoils none.
struct Group {
  const Path& path;
  const Crypto& crypto;
  size_t size;
  int complete = 0;  // blocks, of every row
};

// Those that targets are about come first.
std::vector<Group> AllGroups() {
  std::vector<Group> groups;
  for (const size_t size : kSizes) {
    for (const Path& path : kPaths) {
      for (const Crypto& crypto : kCryptos) {
        groups.push_back({path, crypto, size});
      }
    }
  }
  return groups;
}

std::vector<std::unique_ptr<Row>> RowsOf(const Group& group) {
  const bool with_losses = &group.path == &kPaths[0] && group.size == kFullSize;
  std::vector<std::unique_ptr<Row>> rows;
  for (const fec::Parameters& code : kCodes) {
    const RigOptions options =
        OptionsOf(group.path, group.size, code, group.crypto);
    rows.push_back(
        std::make_unique<CleanRow>(group.path, group.crypto, options));
    if (!with_losses || !code.on()) continue;
    for (const bool retransmit : {true, false}) {
      // With it what is sent again weighs more than the code does.
      if (retransmit && code != kTargetCode) continue;
      RigOptions lossy = options;
      lossy.retransmit = retransmit;
      rows.push_back(
          std::make_unique<LossyRow>(group.path, group.crypto, lossy));
    }
  }
  return rows;
}

// Prints some blocks and ends the process, which says how many are complete.
[[noreturn]] void RunAndExit(const Group& group, int blocks,
                             const TimeLimit& limit, QuietGate& gate) {
  // Rigs with a round trip keep what is under way.
  testing::test_pool_size = 65535;
  testing::StartTestEal();
  const auto rows = RowsOf(group);
  int done = 0;
  for (int turn = 0; turn < blocks && limit.Left(); ++turn) {
    bool complete = true;
    for (const auto& row : rows) complete = row->PrintBlock(gate) && complete;
    done += complete ? 1 : 0;
  }
  std::fflush(nullptr);
  _exit(done);
}

// In a process of its own, which closes nothing: DPDK has places for some
// thirty ports, a pair of gateways on memif takes six, and that driver's
// interrupt thread does not survive that many are closed.
int RunApart(const Group& group, int blocks, const TimeLimit& limit,
             QuietGate& gate) {
  const pid_t child = fork();
  if (child == 0) RunAndExit(group, blocks, limit, gate);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
      WEXITSTATUS(status) > blocks) {
    std::fprintf(stderr, "bench: rows of %s failed: status %d\n",
                 group.path.name, status);
    std::exit(1);
  }
  return WEXITSTATUS(status);
}

void Run(int blocks, const TimeLimit& limit) {
  QuietGate gate;
  for (const Crypto& crypto : kCryptos) FecCodeFor(crypto.code);
  std::vector<Group> groups = AllGroups();
  for (int visit = 0; visit < kMostVisits && limit.Left(); ++visit) {
    for (Group& group : groups) {
      if (group.complete >= blocks || !limit.Left()) continue;
      const int wanted = std::min(kBlocksOfVisit, blocks - group.complete);
      group.complete += RunApart(group, wanted, limit, gate);
    }
  }
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  lwt::bench::Run(argc > 1 ? std::atoi(argv[1]) : 15,
                  lwt::bench::TimeLimit(argc > 2 ? std::atof(argv[2]) : 0));
  return 0;
}
