#include "tests/bench/reference.h"

#include <cstdlib>

#include "dataplane/wire/record.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::bench {
namespace {

std::vector<rte_mbuf*> Buffers(size_t count) {
  std::vector<rte_mbuf*> buffers(count);
  if (count > 0 && rte_pktmbuf_alloc_bulk(testing::TestPool(), buffers.data(),
                                          static_cast<unsigned>(count)) != 0) {
    std::abort();
  }
  return buffers;
}

uint8_t* HeaderOf(rte_mbuf* record) {
  return rte_pktmbuf_mtod(record, uint8_t*) + wire::kRecordFraming;
}
uint8_t* PlaintextOf(rte_mbuf* record) {
  return rte_pktmbuf_mtod(record, uint8_t*) + wire::kRecordPrefix;
}

}  // namespace

Reference::Reference(const Work& work)
    : work_(work),
      aead_(*Aead::Create(work.crypto)),
      code_(work.fec_code),
      records_(Buffers(work.records)),
      parities_(Buffers(work.code.parity)) {
  const std::array<uint8_t, kAeadKeySize> key = {1, 2, 3};
  aead_.ExpandKey(key, key_);
}

Reference::~Reference() {
  for (rte_mbuf* record : records_) rte_pktmbuf_free(record);
  for (rte_mbuf* parity : parities_) rte_pktmbuf_free(parity);
}

void Reference::Send() {
  for (rte_mbuf* record : records_) {
    if (!parities_.empty()) AddToGroup(record);
    Seal(record);
    if (in_group_ == 0 || in_group_ < work_.code.data) continue;
    for (rte_mbuf* parity : parities_) Seal(parity);
    in_group_ = 0;
  }
}

// The tags are wrong, which takes the same time.
void Reference::Open() {
  for (rte_mbuf* record : records_) {
    uint8_t* const data = PlaintextOf(record);
    wrong_ +=
        !aead_.Open(key_, NextIv(), {HeaderOf(record), wire::kRecordHeader},
                    data, work_.size, data + work_.size);
  }
}

void Reference::Seal(rte_mbuf* record) {
  uint8_t* const data = PlaintextOf(record);
  aead_.Seal(key_, NextIv(), {HeaderOf(record), wire::kRecordHeader}, data,
             work_.size, data + work_.size);
}

void Reference::AddToGroup(rte_mbuf* record) {
  std::array<uint8_t*, fec::kMaxParity> rows;
  for (size_t i = 0; i < parities_.size(); ++i) {
    rows[i] = PlaintextOf(parities_[i]);
  }
  const std::span<uint8_t> shard(PlaintextOf(record), work_.size);
  const auto used = std::span(rows).first(parities_.size());
  if (in_group_ == 0) {
    code_.Begin(0, shard, used);
  } else {
    code_.Add(in_group_, shard, 0, used);
  }
  ++in_group_;
}

}  // namespace lwt::bench
