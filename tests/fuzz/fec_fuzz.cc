// A peer that holds the keys and lies: any sequence of records with any place
// in any group. Nothing may be read or written out of bounds, every buffer
// comes back, and what is held stays within its limits.
#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>

#include "dataplane/fec/decoder.h"
#include "dataplane/wire/record.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace {

using lwt::Frame;
namespace fec = lwt::fec;
namespace wire = lwt::wire;

constexpr size_t kEntry = 12;
constexpr uint32_t kMaxShards = 24;

void Check(bool holds) {
  if (!holds) __builtin_trap();
}

class Host final : public fec::DecoderHost {
 public:
  bool OpenParity(Frame& record) override {
    if (record.data[wire::kRecordPrefix] == 0xff) {
      rte_pktmbuf_free(record.mbuf);
      return false;
    }
    Check(record.header() ==
          wire::ReadRecordHeader(record.data + wire::kRecordFraming));
    record.data += wire::kRecordPrefix;
    record.length -= wire::kRecordOverhead;
    return true;
  }
  bool IsNew(lwt::LaneIndex, uint64_t number) override {
    return !taken_.contains(number);
  }
  bool Commit(lwt::LaneIndex, uint64_t number) override {
    return taken_.insert(number).second;
  }
  size_t room(lwt::LaneIndex) override { return 16; }
  void Deliver(const Frame& shard) override { rte_pktmbuf_free(shard.mbuf); }
  void Drop(const Frame& record, lwt::DropReason) override {
    rte_pktmbuf_free(record.mbuf);
  }
  void CountRepaired(lwt::LaneIndex, size_t count) override {
    Check(count <= 32);
  }
  void CountUnrepaired(lwt::LaneIndex, size_t count) override {
    Check(count <= 64);
  }

 private:
  std::set<uint64_t> taken_;
};

// One entry of input: kind, number (2), base (2), index, k, m, stride, length,
// first byte, clock step.
void Feed(fec::Decoder& decoder, Host& host, const uint8_t* entry,
          uint64_t& now_us) {
  wire::RecordHeader header;
  header.kind = entry[0] & 1;
  header.packet_number = static_cast<uint64_t>(entry[1]) << 8 | entry[2];
  header.group.base = static_cast<uint32_t>(entry[3]) << 8 | entry[4];
  header.group.index = entry[5];
  header.group.data = entry[6];
  header.group.parity = entry[7];
  header.group.stride = entry[8];
  now_us += entry[11] * 1000;
  const size_t size = wire::kRecordOverhead + entry[9];
  rte_mbuf* mbuf = rte_pktmbuf_alloc(lwt::testing::TestPool());
  Check(mbuf != nullptr);
  Frame frame;
  frame.mbuf = mbuf;
  frame.data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  frame.length = static_cast<uint32_t>(size);
  frame.lane = {0};
  std::memset(frame.data, entry[10], size);
  wire::WriteRecordHeader(header, frame.data + wire::kRecordFraming);
  frame.SetHeader(header);
  if (header.kind == 1) {
    decoder.OnParity(frame, now_us, host);
  } else {
    frame.data += wire::kRecordPrefix;
    frame.length -= wire::kRecordOverhead;
    const bool empty = (entry[0] & 2) != 0;
    frame.kind = static_cast<uint8_t>(empty ? wire::RecordKind::kReport
                                            : wire::RecordKind::kData);
    static_cast<void>(decoder.OnShard(frame, now_us, host));
    rte_pktmbuf_free(mbuf);
  }
  Check(decoder.store().shards_held() <= kMaxShards);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  rte_mempool* pool = lwt::testing::TestPool();
  const unsigned before = rte_mempool_avail_count(pool);
  {
    static const lwt::ReedSolomon::Code code = lwt::ReedSolomon::Code::kAvx2;
    fec::Decoder decoder({.store = {.max_groups = 8, .max_shards = kMaxShards},
                          .pool = pool,
                          .code = code});
    Host host;
    uint64_t now_us = 0;
    for (size_t at = 0; at + kEntry <= size; at += kEntry) {
      Feed(decoder, host, data + at, now_us);
      decoder.Expire(now_us, host);
    }
  }
  Check(rte_mempool_avail_count(pool) == before);
  return 0;
}
