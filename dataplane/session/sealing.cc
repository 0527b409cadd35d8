#include "dataplane/session/sealing.h"

#include <array>
#include <cstring>

#include "dataplane/wire/be.h"

namespace lwt::session {
namespace {

using Iv = std::array<uint8_t, kAeadIvSize>;

// Nonce = lane IV XOR packet number, as RFC 8446 section 5.3 builds it.
Iv NonceOf(const Iv& iv, uint64_t packet_number) {
  Iv nonce = iv;
  const uint64_t mixed = wire::LoadBe64(&nonce[4]) ^ packet_number;
  wire::StoreBe64(&nonce[4], mixed);
  return nonce;
}

// The epoch that the header's low eight bits name, or null.
const ReceiveEpoch* FindEpoch(const ReceiveHalf& half, uint8_t low_bits) {
  const ReceiveEpoch& held = half.epochs[low_bits % kReceiveEpochs];
  const bool match = held.held && (held.epoch & 0xff) == low_bits;
  return match ? &held : nullptr;
}

DropReason ReasonOf(ReplayWindow::Verdict verdict) {
  return verdict == ReplayWindow::Verdict::kTooOld ? DropReason::kTooOld
                                                   : DropReason::kReplayed;
}

}  // namespace

bool SealRecord(const Aead& aead, SendHalf& half, wire::RecordKind kind,
                uint8_t* record, size_t size) {
  if (half.records_of_epoch() >= kEpochHardLimit ||
      half.next_packet > kMaxPacketNumber) {
    return false;
  }
  wire::RecordHeader header;
  header.kind = static_cast<uint8_t>(kind);
  header.epoch = static_cast<uint8_t>(half.epoch);
  header.packet_number = half.next_packet++;

  uint8_t* const masked = record + wire::kRecordFraming;
  uint8_t* const plaintext = record + wire::kRecordPrefix;
  uint8_t* const tag = plaintext + size;
  wire::WriteRecordFraming(size, record);
  wire::WriteRecordHeader(header, masked);
  const Iv nonce = NonceOf(half.iv, header.packet_number);
  aead.Seal(half.key, nonce.data(), {masked, wire::kRecordHeader}, plaintext,
            size, tag);
  uint8_t mask[kMaskSize];
  ComputeMask(half.mask, tag, mask);
  wire::ApplyMask(mask, masked);
  return true;
}

bool OpenRecord(const Aead& aead, ReceiveHalf& half, std::span<uint8_t> record,
                wire::RecordHeader& header, DropReason& why) {
  if (record.size() < wire::kRecordOverhead) {
    why = DropReason::kNoRecord;
    return false;
  }
  const size_t size = record.size() - wire::kRecordOverhead;
  uint8_t* const plaintext = &record[wire::kRecordPrefix];
  const uint8_t* const tag = plaintext + size;

  uint8_t clear[wire::kRecordHeader];
  std::memcpy(clear, &record[wire::kRecordFraming], sizeof(clear));
  uint8_t mask[kMaskSize];
  ComputeMask(half.mask, tag, mask);
  wire::ApplyMask(mask, clear);
  header = wire::ReadRecordHeader(clear);

  const ReceiveEpoch* epoch = FindEpoch(half, header.epoch);
  if (epoch == nullptr) {
    why = DropReason::kUnknownEpoch;
    return false;
  }
  const auto verdict = half.window.Peek(header.packet_number);
  if (verdict != ReplayWindow::Verdict::kNew) {
    why = ReasonOf(verdict);
    return false;
  }
  const Iv nonce = NonceOf(epoch->iv, header.packet_number);
  if (!aead.Open(epoch->key, nonce.data(), clear, plaintext, size, tag)) {
    why = DropReason::kBadTag;
    return false;
  }
  half.window.Commit(header.packet_number);
  ++half.records_opened;
  return true;
}

}  // namespace lwt::session
