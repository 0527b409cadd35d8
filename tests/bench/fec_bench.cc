// Encoder and decoder for each packet of full records, beside the least of
// ISA-L's calls that give the same bytes, in the order in which they come, from
// where they lie: `bare` cycles, `ratio` bare over ours. Sealing is not part of
// either. Ours by the arithmetic that a gateway chooses on this CPU beside what
// ISA-L chooses on it; and both by AVX2, as on a CPU without more.
#include <isa-l/erasure_code.h>

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/fec/decoder.h"
#include "dataplane/fec/encoder.h"
#include "drivers/aead.h"
#include "drivers/reed_solomon.h"
#include "tests/bench/micro_measure.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::bench {
namespace {

constexpr size_t kShard = 1402;
constexpr LaneIndex kLane{1};

using Args = std::vector<int64_t>;

// Ours and the library's arithmetic, side by side.
struct Form {
  ReedSolomon::Code ours;
  decltype(&ec_encode_data) encode;
  decltype(&ec_encode_data_update) update;
};

Form FormOfThisCpu() {
  static const Form form = {ReedSolomon::Calibrate(*Aead::Create()),
                            &ec_encode_data, &ec_encode_data_update};
  return form;
}

constexpr Form kAvx2 = {ReedSolomon::Code::kAvx2, &ec_encode_data_avx2,
                        &ec_encode_data_update_avx2};

// What ISA-L alone takes: k shards, `rows` results, one buffer each, and tables
// made once. The coefficients are not ours, which costs the same.
class BareCode {
 public:
  BareCode(const Form& form, int k, int rows)
      : form_(form),
        k_(k),
        rows_(rows),
        whole_(32 * k * rows),
        single_(32 * k * rows) {
    std::vector<uint8_t> matrix((k + rows) * k);
    gf_gen_cauchy1_matrix(matrix.data(), k + rows, k);
    ec_init_tables(k, rows, &matrix[k * k], whole_.data());
    // Each shard a code of one: its rows side by side.
    for (int i = 0; i < k; ++i) {
      for (int row = 0; row < rows; ++row) {
        gf_vect_mul_init(matrix[(k + row) * k + i],
                         &single_[(i * rows + row) * 32]);
      }
      shards_.emplace_back(kShard, i + 1);
    }
    for (int i = 0; i < rows; ++i) results_.emplace_back(kShard);
    for (auto& each : shards_) in_.push_back(each.data());
    for (auto& each : results_) out_.push_back(each.data());
  }

  // Shard after shard, as packets pass: the first writes the parities, the
  // others are added to them.
  void Encode() {
    form_.encode(kShard, 1, rows_, single_.data(), in_.data(), out_.data());
    for (int i = 1; i < k_; ++i) {
      form_.update(kShard, k_, rows_, i, whole_.data(), in_[i], out_.data());
    }
  }
  // The missing shards from k that are there, in one call.
  void Decode(std::vector<uint8_t*>& in) {
    form_.encode(kShard, k_, rows_, whole_.data(), in.data(), out_.data());
  }
  std::span<const uint8_t> shard(int i) const { return shards_[i]; }

 private:
  const Form form_;
  const int k_;
  const int rows_;
  std::vector<uint8_t> whole_;
  std::vector<uint8_t> single_;
  std::vector<std::vector<uint8_t>> shards_;
  std::vector<std::vector<uint8_t>> results_;
  std::vector<uint8_t*> in_;
  std::vector<uint8_t*> out_;
};

// Ours: a group's shards added, its parities taken as mbufs, pushed and freed.
void EncodeBy(const Form& form, benchmark::State& state) {
  lwt::testing::StartTestEal();
  const auto k = static_cast<int>(state.range(0));
  const auto m = static_cast<int>(state.range(1));
  fec::Encoder::Config config;
  config.pool = lwt::testing::TestPool();
  config.max_lanes = 2;
  config.code = form.ours;
  fec::Encoder encoder(config);
  encoder.SetParameters(kLane,
                        {static_cast<uint8_t>(k), static_cast<uint8_t>(m), 1});
  BareCode bare(form, k, m);
  PacketBurst parities;
  uint64_t number = 0;
  MeasureBeside(
      state, 4, k,
      [&] {
        for (int i = 0; i < k; ++i) {
          encoder.Add(kLane, number++, bare.shard(i), 0);
          encoder.CloseFull(kLane, parities);
        }
        number += parities.size();
        for (const Frame& parity : parities.frames()) {
          rte_pktmbuf_free(parity.mbuf);
        }
        parities.Clear();
      },
      [&] { bare.Encode(); });
}

void Encode(benchmark::State& state) { EncodeBy(FormOfThisCpu(), state); }
void EncodeAvx2(benchmark::State& state) { EncodeBy(kAvx2, state); }

// Opens nothing and takes everything.
class BenchHost final : public fec::DecoderHost {
 public:
  bool OpenParity(Frame& record) override {
    record.data += wire::kRecordPrefix;
    record.length -= wire::kRecordOverhead;
    return true;
  }
  bool IsNew(uint32_t, uint64_t) override { return true; }
  bool Commit(uint32_t, uint64_t) override { return true; }
  size_t room(uint32_t) override { return 64; }
  void Deliver(const Frame& shard) override { rte_pktmbuf_free(shard.mbuf); }
  void Drop(const Frame& record, DropReason) override {
    rte_pktmbuf_free(record.mbuf);
    ++dropped;
  }
  void CountRepaired(uint32_t, size_t count) override { repaired += count; }
  void CountUnrepaired(uint32_t, size_t count) override { dropped += count; }

  size_t repaired = 0;
  size_t dropped = 0;
};

// Group after group of k + m of which `lost` data records did not come. The
// others lie side by side in one buffer, as in a merged frame, or in one each.
class DecoderBench {
 public:
  DecoderBench(int k, int m, int lost, bool merged, ReedSolomon::Code code)
      : k_(k), m_(m), is_lost_(k), decoder_(ConfigOf(code)) {
    // Apart from each other.
    for (int i = 0; i < lost; ++i) is_lost_[i * (k / lost)] = 1;
    rte_mbuf* mbuf = nullptr;
    for (int i = 0; i < k + m; ++i) {
      Frame frame;
      if (merged && mbuf != nullptr) {
        rte_mbuf_refcnt_update(mbuf, 1);
        frame.data = frames_.back().data + kShard + wire::kRecordOverhead;
      } else {
        mbuf = rte_pktmbuf_alloc(merged ? lwt::testing::TestJumboPool()
                                        : lwt::testing::TestPool());
        frame.data = rte_pktmbuf_mtod(mbuf, uint8_t*);
      }
      frame.mbuf = mbuf;
      frame.length = kShard;
      frame.lane = kLane;
      frames_.push_back(frame);
    }
  }
  ~DecoderBench() {
    for (const Frame& frame : frames_) rte_pktmbuf_free(frame.mbuf);
  }

  void RunGroup() {
    wire::RecordHeader header;
    header.group.base = static_cast<uint32_t>(base_);
    header.group.data = static_cast<uint8_t>(k_);
    header.group.parity = static_cast<uint8_t>(m_);
    header.group.stride = 1;
    for (int i = 0; i < k_; ++i) {
      if (is_lost_[i] != 0) continue;
      header.packet_number = base_ + static_cast<uint64_t>(i);
      header.group.index = static_cast<uint8_t>(i);
      frames_[i].SetHeader(header);
      benchmark::DoNotOptimize(decoder_.OnShard(frames_[i], 0, host));
    }
    header.kind = static_cast<uint8_t>(wire::RecordKind::kParity);
    TakeReferences();
    for (int i = 0; i < m_; ++i) {
      header.packet_number = base_ + static_cast<uint64_t>(k_ + i);
      header.group.index = static_cast<uint8_t>(i);
      Frame frame = frames_[k_ + i];
      frame.length += static_cast<uint32_t>(wire::kRecordOverhead);
      wire::WriteRecordHeader(header, frame.data + wire::kRecordFraming);
      frame.SetHeader(header);
      decoder_.OnParity(frame, 0, host);
    }
    base_ += static_cast<uint64_t>(k_ + m_);
  }

  // The k shards that a group is repaired from.
  std::vector<uint8_t*> sources() const {
    std::vector<uint8_t*> sources;
    for (int i = 0; i < k_ + m_ && std::ssize(sources) < k_; ++i) {
      if (i >= k_ || is_lost_[i] == 0) sources.push_back(frames_[i].data);
    }
    return sources;
  }

  BenchHost host;

 private:
  static fec::Decoder::Config ConfigOf(ReedSolomon::Code code) {
    fec::Decoder::Config config;
    config.pool = lwt::testing::TestPool();
    config.code = code;
    return config;
  }

  // Of the parities, which the decoder gives back; as a merged frame is cut,
  // all of a buffer at once.
  void TakeReferences() {
    if (frames_[k_].mbuf == frames_.back().mbuf) {
      rte_mbuf_refcnt_update(frames_.back().mbuf, static_cast<int16_t>(m_));
      return;
    }
    for (int i = 0; i < m_; ++i) {
      rte_mbuf_refcnt_update(frames_[k_ + i].mbuf, 1);
    }
  }

  const int k_;
  const int m_;
  std::vector<uint8_t> is_lost_;
  uint64_t base_ = 0;
  fec::Decoder decoder_;
  std::vector<Frame> frames_;
};

// Ours: k − lost data records held and m parities parked, of which `lost` are
// opened, in mbufs; the repaired ones taken, delivered and freed, the group
// closed. The pattern of loss is the same each time, so neither side inverts.
void DecodeBy(const Form& form, benchmark::State& state) {
  lwt::testing::StartTestEal();
  const auto k = static_cast<int>(state.range(0));
  const auto m = static_cast<int>(state.range(1));
  const auto lost = static_cast<int>(state.range(2));
  const bool merged = state.range(3) != 0;
  DecoderBench decode(k, m, lost, merged, form.ours);
  BareCode bare(form, k, lost);
  auto sources = decode.sources();
  // Until each place for a group was taken once: the state it stays in.
  size_t groups = fec::GroupStore::Config{}.max_groups;
  for (size_t i = 0; i < groups; ++i) decode.RunGroup();
  MeasureBeside(
      state, 4, k,
      [&] {
        decode.RunGroup();
        ++groups;
      },
      [&] { bare.Decode(sources); });
  if (decode.host.dropped != 0 || decode.host.repaired != groups * lost) {
    state.SkipWithError("groups were not repaired");
  }
}

void Decode(benchmark::State& state) { DecodeBy(FormOfThisCpu(), state); }
void DecodeAvx2(benchmark::State& state) { DecodeBy(kAvx2, state); }

void Codes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"k", "m"});
  for (const auto& code : {Args{20, 2}, {10, 3}, {10, 5}, {8, 6}}) {
    benchmark->Args(code);
  }
}
void Losses(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"k", "m", "lost", "merged"});
  for (const int64_t merged : {1, 0}) {
    for (const auto& loss : {Args{20, 2, 1},
                             {20, 2, 2},
                             {10, 3, 1},
                             {10, 3, 3},
                             {10, 5, 5},
                             {8, 6, 6}}) {
      benchmark->Args({loss[0], loss[1], loss[2], merged});
    }
  }
}

LWT_BENCHMARK(Encode)->Apply(Codes);
LWT_BENCHMARK(EncodeAvx2)->Apply(Codes);
LWT_BENCHMARK(Decode)->Apply(Losses);
LWT_BENCHMARK(DecodeAvx2)->Apply(Losses);

}  // namespace
}  // namespace lwt::bench
