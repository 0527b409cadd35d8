// The parts of the path one by one; see micro_measure.h.
#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "dataplane/flow/sent_arena.h"
#include "dataplane/lane/replay_window.h"
#include "dataplane/lane/sealing.h"
#include "dataplane/route/route_table.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/record.h"
#include "drivers/aead.h"
#include "tests/bench/micro_measure.h"

namespace lwt::bench {
namespace {

struct Sealed {
  explicit Sealed(size_t content, Aead::Code code = Aead::Code::kBest)
      : aead(*Aead::Create(code)), size(content), record(content + 64) {
    const std::array<uint8_t, kAeadKeySize> key = {1, 2, 3};
    aead.ExpandKey(key, send.key);
    aead.ExpandMaskKey(key, send.mask);
  }

  const Aead aead;
  session::SendHalf send;
  const size_t size;
  std::vector<uint8_t> record;
};

// As this CPU has it, or as one without VAES.
Aead::Code CodeOf(const benchmark::State& state) {
  return state.range(1) != 0 ? Aead::Code::kBest : Aead::Code::kAesni;
}

void Seal(benchmark::State& state) {
  Sealed sealed(static_cast<size_t>(state.range(0)), CodeOf(state));
  Measure(state, 32, [&] {
    session::SealRecord(sealed.aead, sealed.send, wire::RecordKind::kData,
                        sealed.record.data(), sealed.size);
  });
}
LWT_BENCHMARK(Seal)
    ->ArgNames({"", "vaes"})
    ->ArgsProduct({{64, 512, 1400}, {1, 0}});

// The tag is wrong after the first time, which takes as long.
void Open(benchmark::State& state) {
  Sealed sealed(static_cast<size_t>(state.range(0)), CodeOf(state));
  const std::array<uint8_t, kAeadIvSize> iv{};
  Measure(state, 32, [&] {
    benchmark::DoNotOptimize(
        sealed.aead.Open(sealed.send.key, iv.data(), {sealed.record.data(), 16},
                         sealed.record.data() + wire::kRecordPrefix,
                         sealed.size, sealed.record.data()));
  });
}
LWT_BENCHMARK(Open)
    ->ArgNames({"", "vaes"})
    ->ArgsProduct({{64, 512, 1400}, {1, 0}});

void Checksum(benchmark::State& state) {
  const std::vector<uint8_t> bytes(static_cast<size_t>(state.range(0)), 7);
  Measure(state, 64, [&] {
    benchmark::DoNotOptimize(wire::ChecksumAdd(bytes.data(), bytes.size()));
  });
}
LWT_BENCHMARK(Checksum)->Arg(64)->Arg(1400);

void CopyWithChecksum(benchmark::State& state) {
  const std::vector<uint8_t> from(static_cast<size_t>(state.range(0)), 7);
  std::vector<uint8_t> to(from.size());
  Measure(state, 64, [&] {
    benchmark::DoNotOptimize(
        wire::CopyAndChecksum(to.data(), from.data(), from.size()));
  });
}
LWT_BENCHMARK(CopyWithChecksum)->Arg(1400);

// Random addresses among `range` routes of two lengths.
void RouteLookup(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<RouteTable::Route> routes;
  IpPrefix prefix = *ParseIpPrefix("10.0.0.0/24");
  for (int64_t i = 0; i < state.range(0); ++i) {
    const uint32_t network = random();
    prefix.address.bytes[0] = static_cast<uint8_t>(network);
    prefix.address.bytes[1] = static_cast<uint8_t>(network >> 8);
    prefix.address.bytes[2] = static_cast<uint8_t>(network >> 16);
    routes.push_back({prefix, {static_cast<uint32_t>(i)}});
  }
  routes.push_back({*ParseIpPrefix("10.1.2.3/32"), {1}});
  const RouteTable table(routes);
  size_t next = 0;
  Measure(state, 64, [&] {
    next = (next + 7919) % routes.size();
    benchmark::DoNotOptimize(
        table.Lookup(Family::kIpv4, routes[next].prefix.address.bytes.data()));
  });
}
LWT_BENCHMARK(RouteLookup)->Arg(1)->Arg(1000)->Arg(1'000'000);

void ReplayWindow(benchmark::State& state) {
  session::ReplayWindow window;
  uint64_t number = 0;
  Measure(state, 256, [&] {
    benchmark::DoNotOptimize(window.Peek(number));
    benchmark::DoNotOptimize(window.Commit(number++));
  });
}
LWT_BENCHMARK(ReplayWindow);

// A segment kept and let go of, while its sender holds it, too.
void SentArenaKeep(benchmark::State& state) {
  SentArena arena(8u << 20, 1);
  rte_mbuf record{};
  rte_mbuf_refcnt_set(&record, 1);
  Measure(state, 64, [&] { arena.LetGo(arena.Push(&record, 0)); });
}
LWT_BENCHMARK(SentArenaKeep);

}  // namespace
}  // namespace lwt::bench

BENCHMARK_MAIN();
