// Sealing and opening one record in place (docs/protocol.md#records).
//
// Free functions of a lane's half: no ports, no flow, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/drop_reason.h"
#include "dataplane/session/lane.h"
#include "dataplane/wire/record.h"
#include "drivers/aead.h"

namespace lwt::session {

// Seals the record at `record`, whose `size` bytes of plaintext lie behind
// wire::kRecordPrefix bytes of room and before wire::kRecordTag bytes of room;
// both are filled. Takes the next packet number. False when the epoch or the
// packet numbers are spent: then nothing is written.
bool SealRecord(const Aead& aead, SendHalf& half, wire::RecordKind kind,
                uint8_t* record, size_t size,
                const wire::GroupPlace& group = {});

// Unmasks the header of a whole record in place, framing included. True when
// a key of its epoch is held and its packet number is new; else `why` is set.
// Proves nothing and changes no state.
bool UnmaskRecord(const ReceiveHalf& half, std::span<uint8_t> record,
                  wire::RecordHeader& header, DropReason& why);

// Opens an unmasked record in place, now or later. On success the plaintext
// begins at wire::kRecordPrefix and the packet number is committed in the
// replay window. On failure `why` is set and no state has changed.
bool OpenUnmasked(const Aead& aead, ReceiveHalf& half,
                  std::span<uint8_t> record, wire::RecordHeader& header,
                  DropReason& why);

// Both at once.
bool OpenRecord(const Aead& aead, ReceiveHalf& half, std::span<uint8_t> record,
                wire::RecordHeader& header, DropReason& why);

// True when the tag of a whole record verifies, be its packet number new or
// not. Changes no state but the bytes, which mean nothing afterwards.
bool ProveRecord(const Aead& aead, const ReceiveHalf& half,
                 std::span<uint8_t> record);

}  // namespace lwt::session
