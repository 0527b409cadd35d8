// Sender and receiver of two in-process gateways beside the bare cryptography
// of the same records, interleaved in each repetition. Prints one JSON object
// for each block of repetitions.
//
// usage: bench-pipeline [BLOCKS]
#include <rte_mbuf.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/wire/record.h"
#include "drivers/aead.h"
#include "tests/bench/gateway_rig.h"
#include "tests/bench/quiet_gate.h"

namespace lwt::bench {
namespace {

// Seals and opens records of the sizes that the gateways make, in buffers of
// their own, and does nothing else.
class Reference {
 public:
  Reference(size_t records, size_t bytes)
      : size_(bytes / records), records_(records) {
    const std::array<uint8_t, kAeadKeySize> key = {1, 2, 3};
    aead_.ExpandKey(key, key_);
    if (rte_pktmbuf_alloc_bulk(testing::TestPool(), records_.data(),
                               static_cast<unsigned>(records)) != 0) {
      std::abort();
    }
  }
  ~Reference() {
    rte_pktmbuf_free_bulk(records_.data(),
                          static_cast<unsigned>(records_.size()));
  }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  void Seal() {
    for (rte_mbuf* record : records_) {
      uint8_t* const data = rte_pktmbuf_mtod(record, uint8_t*);
      aead_.Seal(key_, NextIv(), {data, wire::kRecordHeader},
                 data + wire::kRecordPrefix, size_, data + 2000 - 16);
    }
  }
  // The tags are wrong, which takes the same time.
  void Open() {
    for (rte_mbuf* record : records_) {
      uint8_t* const data = rte_pktmbuf_mtod(record, uint8_t*);
      wrong_ +=
          !aead_.Open(key_, NextIv(), {data, wire::kRecordHeader},
                      data + wire::kRecordPrefix, size_, data + 2000 - 16);
    }
  }

 private:
  const uint8_t* NextIv() {
    ++iv_[0];
    return reinterpret_cast<const uint8_t*>(iv_.data());
  }

  const Aead aead_ = *Aead::Create();
  AeadKey key_;
  std::array<uint32_t, 3> iv_{};
  const size_t size_;
  std::vector<rte_mbuf*> records_;
  size_t wrong_ = 0;
};

// One line of the results: a rig with its reference.
class Row {
 public:
  Row(const char* path, const RigOptions& options)
      : path_(path), rig_(options) {
    for (int i = 0; i < 200; ++i) rig_.Step();
    const uint64_t before = rig_.client_counters().records_sealed.Get();
    rig_.Step();
    const uint64_t records =
        rig_.client_counters().records_sealed.Get() - before;
    const size_t bytes =
        GatewayRig::kBurst * (options.packet_size + wire::kShardWord);
    reference_ = std::make_unique<Reference>(records, bytes);
    records_ = records;
  }

  void PrintBlock(QuietGate& gate) {
    const Block block = RunBlock(gate, [this] { return Repeat(); });
    std::printf(
        "{\"path\": \"%s\", \"size\": %zu, \"code\": \"none\", "
        "\"records\": %zu, \"kept\": %zu, \"total\": %zu",
        path_, rig_.options().packet_size, records_, block.kept, block.total);
    if (block.kept > 0) {
      const char* names[] = {"sender", "seal", "receiver", "open"};
      for (size_t i = 0; i < block.medians.size(); ++i) {
        std::printf(", \"%s\": %.1f", names[i], block.medians[i]);
      }
    }
    std::printf("}\n");
  }

 private:
  // Cycles per packet of sender, bare sealing, receiver and bare opening.
  std::vector<double> Repeat() {
    rig_.Feed();
    const uint64_t sender = CyclesOf([this] { rig_.RunClient(); });
    rig_.Carry();
    const uint64_t receiver = CyclesOf([this] { rig_.RunHub(); });
    rig_.Drain();
    const uint64_t seal = CyclesOf([this] { reference_->Seal(); });
    const uint64_t open = CyclesOf([this] { reference_->Open(); });
    std::vector<double> figures;
    for (const uint64_t cycles : {sender, seal, receiver, open}) {
      figures.push_back(static_cast<double>(cycles) / GatewayRig::kBurst);
    }
    return figures;
  }

  const char* const path_;
  GatewayRig rig_;
  std::unique_ptr<Reference> reference_;
  size_t records_ = 0;
};

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

void Run(int blocks) {
  std::vector<std::unique_ptr<Row>> rows;
  for (const Path& path : kPaths) {
    for (const size_t size : {64, 512, 1400}) {
      RigOptions options;
      options.ports = path.ports;
      options.offload = path.offload;
      options.super_inside = path.super_inside;
      options.packet_size = size;
      rows.push_back(std::make_unique<Row>(path.name, options));
    }
  }
  QuietGate gate;
  for (int block = 0; block < blocks; ++block) {
    for (const auto& row : rows) row->PrintBlock(gate);
  }
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  lwt::bench::Run(argc > 1 ? std::atoi(argv[1]) : 15);
  return 0;
}
