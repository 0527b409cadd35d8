// Any bytes as what stands behind an outer segment: a stream of records, one
// record to open, a shard, a report and an inner packet. The input is also
// sealed and opened again, so that what is parsed behind a tag is reached.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/lane/sealing.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/record.h"

namespace {

using lwt::session::ReceiveHalf;
using lwt::session::SendHalf;
namespace wire = lwt::wire;
using Bytes = std::vector<uint8_t>;

constexpr size_t kMaxPlaintext =
    wire::kMaxRecordLength - wire::kMinRecordLength;

struct Halves {
  Halves() {
    std::array<uint8_t, lwt::kAeadKeySize> key;
    key.fill(7);
    aead.ExpandKey(key, send.key);
    aead.ExpandMaskKey(key, send.mask);
    receive->epochs[0].held = true;
    receive->epochs[0].key = send.key;
    receive->mask = send.mask;
  }

  const lwt::Aead aead = *lwt::Aead::Create();
  SendHalf send;
  std::unique_ptr<ReceiveHalf> receive = std::make_unique<ReceiveHalf>();
};

void Check(bool holds) {
  if (!holds) __builtin_trap();
}

void ReadInner(std::span<const uint8_t> packet) {
  const auto inner = wire::ParseInner(packet);
  if (!inner) return;
  const size_t size = lwt::IpAddress::SizeOf(inner->family);
  Check(inner->source >= packet.data() &&
        inner->destination + size <= packet.data() + packet.size());
  wire::IsRoutable(inner->family, inner->source);
  wire::IsRoutable(inner->family, inner->destination);
  Check(wire::FlowHash(*inner, packet) == wire::FlowHash(*inner, packet));
}

void WalkShard(Bytes shard) {
  wire::ShardReader reader(shard);
  wire::ShardWord word;
  std::span<uint8_t> packet;
  size_t used = 0;
  while (reader.Next(word, packet)) {
    Check(packet.size() == word.length && word.length > 0);
    used += wire::kShardWord + packet.size();
    Check(packet.data() + packet.size() == shard.data() + used);
    ReadInner(packet);
  }
  Check(used <= shard.size());
  Check(!reader.Next(word, packet));
}

void ReadOneReport(const Bytes& bytes) {
  const auto report = wire::ReadReport(bytes);
  Check(report.has_value() == (bytes.size() >= wire::Report::kSize));
  if (!report) return;
  Bytes written(wire::Report::kSize);
  wire::WriteReport(*report, written.data());
  Check(std::memcmp(&written[4], &bytes[4], wire::Report::kSize - 4) == 0);
}

// What nobody sealed never opens and changes nothing.
void OpenStream(Halves& halves, const Bytes& bytes) {
  const std::span<const uint8_t> stream = bytes;
  const bool begins = wire::RecordSize(stream).has_value();
  for (size_t cut = 0; cut <= std::min<size_t>(stream.size(), 8); ++cut) {
    Check(!begins || wire::MayBeginRecord(stream.first(cut)));
  }
  Bytes whole = bytes;
  Check(!ProveRecord(halves.aead, *halves.receive, whole));
  std::span<const uint8_t> rest = bytes;
  while (const auto size = wire::RecordSize(rest)) {
    Check(*size >= wire::kRecordOverhead);
    if (*size > rest.size()) break;
    Bytes record(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(*size));
    wire::RecordHeader header;
    lwt::DropReason why{};
    const uint64_t next = halves.receive->window.next();
    Check(!OpenRecord(halves.aead, *halves.receive, record, header, why));
    Check(halves.receive->window.next() == next);
    record.resize(wire::kRecordOverhead - 1);
    Check(!OpenRecord(halves.aead, *halves.receive, record, header, why));
    rest = rest.subspan(*size);
  }
}

void SealAndOpen(Halves& halves, const Bytes& bytes) {
  const size_t size = std::min(bytes.size(), kMaxPlaintext);
  Bytes record(wire::kRecordOverhead + size);
  std::copy_n(bytes.begin(), size, record.begin() + wire::kRecordPrefix);
  Check(SealRecord(halves.aead, halves.send, wire::RecordKind::kData,
                   record.data(), size));
  Check(wire::RecordSize(record) == record.size());
  Bytes again = record;
  Bytes proven = record;
  Check(ProveRecord(halves.aead, *halves.receive, proven));
  wire::RecordHeader header;
  lwt::DropReason why{};
  Check(OpenRecord(halves.aead, *halves.receive, record, header, why));
  Check(std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size),
                   record.begin() + wire::kRecordPrefix));
  Check(!OpenRecord(halves.aead, *halves.receive, again, header, why));
  Check(why == lwt::DropReason::kReplayed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Halves* const halves = new Halves;
  const Bytes bytes(data, data + size);
  OpenStream(*halves, bytes);
  SealAndOpen(*halves, bytes);
  WalkShard(bytes);
  ReadOneReport(bytes);
  ReadInner(bytes);
  return 0;
}
