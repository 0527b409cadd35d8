// Sealing and opening one record in place (docs/protocol.md#records).
//
// Free functions of a lane's half: no ports, no flow, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/drop_reason.h"
#include "dataplane/lane/lane.h"
#include "dataplane/wire/record.h"
#include "drivers/aead.h"

namespace lwt::session {

// Seals the record at `record`, whose `size` bytes of plaintext lie behind
// wire::kRecordPrefix bytes of room and before wire::kRecordTag bytes of room;
// both are filled. Takes the next packet number. False when the epoch or the
// packet numbers are spent: then nothing is written.
[[nodiscard]] bool SealRecord(const Aead& aead, SendHalf& half,
                              wire::RecordKind kind, uint8_t* record,
                              size_t size, const wire::GroupPlace& group = {});

// The epoch whose key opens a record with this header, which proves nothing.
// Null, with `why` set, when no such key is held or the packet number is not
// new. Changes no state.
[[nodiscard]] const ReceiveEpoch* EpochOf(const ReceiveHalf& half,
                                          const wire::RecordHeader& header,
                                          DropReason& why);

// Unmasks the header of a whole record in place, framing included, and reads
// it. Its epoch, as EpochOf.
[[nodiscard]] const ReceiveEpoch* UnmaskRecord(const ReceiveHalf& half,
                                               std::span<uint8_t> record,
                                               wire::RecordHeader& header,
                                               DropReason& why);

// Opens an unmasked record in place. `epoch` is its header's, found just now:
// keys and window move on. On success the plaintext begins at
// wire::kRecordPrefix and the packet number is committed in the replay window.
// False, and no state has changed, when the tag is wrong.
[[nodiscard]] bool OpenUnmasked(const Aead& aead, ReceiveHalf& half,
                                const ReceiveEpoch& epoch,
                                std::span<uint8_t> record,
                                const wire::RecordHeader& header);

// All at once; on failure `why` is set.
[[nodiscard]] bool OpenRecord(const Aead& aead, ReceiveHalf& half,
                              std::span<uint8_t> record,
                              wire::RecordHeader& header, DropReason& why);

// True when the tag of a whole record verifies, be its packet number new or
// not. Changes no state but the bytes, which mean nothing afterwards.
[[nodiscard]] bool ProveRecord(const Aead& aead, const ReceiveHalf& half,
                               std::span<uint8_t> record);

}  // namespace lwt::session
