// Making and using parities, beside bare ISA-L doing the same sums in buffers
// of its own, interleaved in each repetition. Prints one JSON object for each
// block of repetitions; figures are TSC cycles per data shard.
//
// usage: bench-fec [BLOCKS]
#include <isa-l/erasure_code.h>
#include <rte_mbuf.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/fec/decoder.h"
#include "dataplane/fec/encoder.h"
#include "dataplane/wire/record.h"
#include "tests/bench/quiet_gate.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::bench {
namespace {

constexpr size_t kBytes = 1400;
constexpr size_t kGroups = 4;  // of one repetition
constexpr uint32_t kLane = 0;

// Opens nothing and delivers to nobody: what is left is the decoder's own.
class Sink final : public fec::DecoderHost {
 public:
  bool OpenParity(Frame& record, wire::RecordHeader& header) override {
    header = wire::ReadRecordHeader(record.data + wire::kRecordFraming);
    record.data += wire::kRecordPrefix;
    record.length -= wire::kRecordOverhead;
    return true;
  }
  bool IsNew(uint32_t, uint64_t) override { return true; }
  bool Commit(uint32_t, uint64_t) override { return true; }
  size_t room() override { return 64; }
  void Deliver(const Frame& shard) override { rte_pktmbuf_free(shard.mbuf); }
  void Drop(const Frame& record, DropReason) override {
    rte_pktmbuf_free(record.mbuf);
  }
  void CountRepaired(uint32_t, size_t count) override { repaired += count; }
  void CountUnrepaired(uint32_t, size_t) override { std::abort(); }

  uint64_t repaired = 0;
};

class Row {
 public:
  explicit Row(const fec::Parameters& code)
      : code_(code),
        encoder_({.pool = testing::TestPool(), .max_lanes = 1}),
        decoder_({.pool = testing::TestPool()}),
        shard_(kBytes, 7),
        tables_(size_t{code.data} * code.parity * 32),
        parities_(code.parity, std::vector<uint8_t>(kBytes)) {
    encoder_.SetParameters(kLane, code);
    std::vector<uint8_t> matrix(size_t{code.data} * code.parity);
    for (size_t i = 0; i < matrix.size(); ++i) {
      matrix[i] = ReedSolomon::Coefficient(i / code.data, i % code.data);
    }
    ec_init_tables(code.data, code.parity, matrix.data(), tables_.data());
    for (auto& parity : parities_) rows_.push_back(parity.data());
  }

  void PrintBlock(QuietGate& gate) {
    const Block block = RunBlock(gate, [this] { return Repeat(); });
    std::printf("{\"code\": \"%d+%d\", \"kept\": %zu, \"total\": %zu",
                code_.data, code_.parity, block.kept, block.total);
    const char* names[] = {"encode", "bare_encode", "decode", "bare_decode"};
    for (size_t i = 0; i < block.medians.size() && block.kept > 0; ++i) {
      std::printf(", \"%s\": %.1f", names[i], block.medians[i]);
    }
    std::printf("}\n");
  }

 private:
  // One shard of each group is lost.
  std::vector<double> Repeat() {
    std::vector<double> figures;
    out_.Clear();
    for (const uint64_t cycles :
         {CyclesOf([this] { Encode(); }), CyclesOf([this] { BareEncode(); })}) {
      figures.push_back(PerShard(cycles));
    }
    PrepareLoss();
    figures.push_back(PerShard(CyclesOf([this] { Decode(); })));
    figures.push_back(PerShard(CyclesOf([this] { BareDecode(); })));
    for (rte_mbuf* mbuf : received_) rte_pktmbuf_free(mbuf);
    received_.clear();
    return figures;
  }

  double PerShard(uint64_t cycles) const {
    return static_cast<double>(cycles) / (kGroups * code_.data);
  }

  void Encode() {
    base_ = number_;
    for (size_t i = 0; i < kGroups * code_.data; ++i) {
      encoder_.Add(kLane, number_++, shard_, /*now_us=*/0);
      encoder_.CloseFull(kLane, out_);
    }
  }

  // What ISA-L alone takes for the same parities.
  void BareEncode() {
    for (size_t group = 0; group < kGroups; ++group) {
      for (uint8_t* row : rows_) std::memset(row, 0, kBytes);
      for (int i = 0; i < code_.data; ++i) {
        ec_encode_data_update(kBytes, code_.data, code_.parity, i,
                              tables_.data(), shard_.data(), rows_.data());
      }
    }
  }

  // The parities as they would arrive: header, plaintext, tag.
  void PrepareLoss() {
    for (Frame& frame : out_.frames()) {
      wire::RecordHeader header;
      header.kind = static_cast<uint8_t>(wire::RecordKind::kParity);
      header.packet_number = frame.group.base + code_.data + frame.group.index;
      header.group = frame.group;
      frame.data -= wire::kRecordPrefix;
      frame.length += wire::kRecordOverhead;
      wire::WriteRecordHeader(header, frame.data + wire::kRecordFraming);
    }
    for (size_t i = 0; i < kGroups * code_.data; ++i) {
      rte_mbuf* mbuf = rte_pktmbuf_alloc(testing::TestPool());
      if (mbuf == nullptr) std::abort();
      std::memcpy(rte_pktmbuf_append(mbuf, kBytes), shard_.data(), kBytes);
      received_.push_back(mbuf);
    }
  }

  void Decode() {
    const uint64_t before = sink_.repaired;
    for (size_t i = 0; i < received_.size(); ++i) {
      if (i % code_.data == 0) continue;
      wire::RecordHeader header;
      header.packet_number = base_ + i;
      header.group = {static_cast<uint32_t>(base_ + i - i % code_.data),
                      static_cast<uint8_t>(i % code_.data), code_.data,
                      code_.parity, 1};
      Frame frame;
      frame.mbuf = received_[i];
      frame.data = rte_pktmbuf_mtod(received_[i], uint8_t*);
      frame.length = kBytes;
      frame.lane = kLane;
      decoder_.OnData(kLane, header, &frame, 0, sink_);
    }
    for (const Frame& frame : out_.frames()) {
      decoder_.OnParity(
          frame, wire::ReadRecordHeader(frame.data + wire::kRecordFraming), 0,
          sink_);
    }
    if (sink_.repaired != before + kGroups) std::abort();
  }

  // Every other shard is taken out of one parity, and what is left scaled.
  void BareDecode() {
    for (size_t group = 0; group < kGroups; ++group) {
      for (int i = 1; i < code_.data; ++i) {
        ec_encode_data_update(kBytes, code_.data, 1, i, tables_.data(),
                              shard_.data(), rows_.data());
      }
      ec_encode_data(kBytes, 1, 1, tables_.data(), rows_.data(),
                     rows_.data() + 1);
    }
  }

  const fec::Parameters code_;
  fec::Encoder encoder_;
  fec::Decoder decoder_;
  Sink sink_;
  std::vector<uint8_t> shard_;
  std::vector<uint8_t> tables_;
  std::vector<std::vector<uint8_t>> parities_;
  std::vector<uint8_t*> rows_;
  std::vector<rte_mbuf*> received_;
  PacketBurst out_;
  uint64_t number_ = 0;
  uint64_t base_ = 0;
};

void Run(int blocks) {
  std::vector<std::unique_ptr<Row>> rows;
  for (const fec::Parameters& code :
       {fec::Parameters{20, 2, 1}, {10, 3, 1}, {10, 5, 1}, {8, 6, 1}}) {
    rows.push_back(std::make_unique<Row>(code));
  }
  QuietGate gate;
  for (int block = 0; block < blocks; ++block) {
    for (const auto& row : rows) row->PrintBlock(gate);
  }
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  lwt::testing::StartTestEal();
  lwt::bench::Run(argc > 1 ? std::atoi(argv[1]) : 15);
  return 0;
}
