#include "dataplane/lane/sealing.h"

#include <algorithm>
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
  const ReceiveEpoch& held = half.At(EpochSlot::Of(low_bits));
  const bool match = held.held && (held.epoch & 0xff) == low_bits;
  return match ? &held : nullptr;
}

DropReason ReasonOf(ReplayWindow::Verdict verdict) {
  return verdict == ReplayWindow::Verdict::kTooOld ? DropReason::kTooOld
                                                   : DropReason::kReplayed;
}

// Removes the mask of a whole record's header and reads it.
wire::RecordHeader Unmask(const ReceiveHalf& half, std::span<uint8_t> record) {
  const uint8_t* const tag = &record[record.size() - wire::kRecordTag];
  uint8_t* const clear = &record[wire::kRecordFraming];
  uint8_t mask[kMaskSize];
  ComputeMask(half.mask, tag, mask);
  wire::ApplyMask(mask, clear);
  return wire::ReadRecordHeader(clear);
}

// Decrypts a whole unmasked record; true when the tag is right.
bool Decrypt(const Aead& aead, const ReceiveEpoch& epoch,
             std::span<uint8_t> record, const wire::RecordHeader& header) {
  const size_t size = record.size() - wire::kRecordOverhead;
  uint8_t* const plaintext = &record[wire::kRecordPrefix];
  const Iv nonce = NonceOf(epoch.iv, header.packet_number);
  return aead.Open(epoch.key, nonce.data(),
                   record.subspan(wire::kRecordFraming, wire::kRecordHeader),
                   plaintext, size, plaintext + size);
}

}  // namespace

bool SealRecord(const Aead& aead, SendHalf& half, wire::RecordKind kind,
                uint8_t* record, size_t size, const wire::GroupPlace& group) {
  if (half.records_of_epoch() >= kEpochHardLimit ||
      half.next_packet > kMaxPacketNumber) {
    return false;
  }
  wire::RecordHeader header;
  header.kind = static_cast<uint8_t>(kind);
  header.epoch = static_cast<uint8_t>(half.epoch);
  header.packet_number = half.next_packet++;
  header.group = group;

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

const ReceiveEpoch* EpochOf(const ReceiveHalf& half,
                            const wire::RecordHeader& header, DropReason& why) {
  const ReceiveEpoch* epoch = FindEpoch(half, header.epoch);
  if (epoch == nullptr) {
    why = DropReason::kUnknownEpoch;
    return nullptr;
  }
  const auto verdict = half.window.Peek(header.packet_number);
  if (verdict == ReplayWindow::Verdict::kNew) return epoch;
  why = ReasonOf(verdict);
  return nullptr;
}

const ReceiveEpoch* UnmaskRecord(const ReceiveHalf& half,
                                 std::span<uint8_t> record,
                                 wire::RecordHeader& header, DropReason& why) {
  if (record.size() < wire::kRecordOverhead) {
    why = DropReason::kNoRecord;
    return nullptr;
  }
  header = Unmask(half, record);
  return EpochOf(half, header, why);
}

bool OpenUnmasked(const Aead& aead, ReceiveHalf& half,
                  const ReceiveEpoch& epoch, std::span<uint8_t> record,
                  const wire::RecordHeader& header) {
  if (!Decrypt(aead, epoch, record, header)) return false;
  half.window.Commit(header.packet_number);
  ++half.records_opened;
  half.highest_epoch = std::max(half.highest_epoch, epoch.epoch);
  return true;
}

bool OpenRecord(const Aead& aead, ReceiveHalf& half, std::span<uint8_t> record,
                wire::RecordHeader& header, DropReason& why) {
  const ReceiveEpoch* epoch = UnmaskRecord(half, record, header, why);
  if (epoch == nullptr) return false;
  if (OpenUnmasked(aead, half, *epoch, record, header)) return true;
  why = DropReason::kBadTag;
  return false;
}

bool ProveRecord(const Aead& aead, const ReceiveHalf& half,
                 std::span<uint8_t> record) {
  if (record.size() < wire::kRecordOverhead) return false;
  const wire::RecordHeader header = Unmask(half, record);
  const ReceiveEpoch* epoch = FindEpoch(half, header.epoch);
  return epoch != nullptr && Decrypt(aead, *epoch, record, header);
}

}  // namespace lwt::session
