#include "dataplane/stages/cut_records.h"

#include <rte_memcpy.h>

#include <algorithm>

#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Appends up to `want` bytes of the stream to the held record.
void Take(Frame& held, Frame& stream, uint32_t want) {
  const uint32_t count = std::min(want, stream.length);
  rte_memcpy(held.data + held.length, stream.data, count);
  held.length += count;
  stream.data += count;
  stream.length -= count;
  stream.stream_offset += count;
}

bool HasRoom(const Frame& held, size_t record_size) {
  const auto before = static_cast<size_t>(
      held.data - static_cast<uint8_t*>(held.mbuf->buf_addr));
  return before + record_size <= held.mbuf->buf_len;
}

// Keeps the front of a record in a buffer of its own, so that a merged frame's
// is not held with it.
void Hold(Worker& worker, const Frame& stream) {
  rte_mbuf* copy = rte_pktmbuf_alloc(worker.options.pool);
  if (copy == nullptr) return worker.Drop(stream, DropReason::kPoolEmpty);
  Frame held = stream;
  held.mbuf = copy;
  held.data = rte_pktmbuf_mtod(copy, uint8_t*);
  if (!HasRoom(held, stream.length)) {
    rte_pktmbuf_free(copy);
    return worker.Drop(stream, DropReason::kRecordCut);
  }
  rte_memcpy(held.data, stream.data, stream.length);
  rte_pktmbuf_free(stream.mbuf);
  Frame& place = worker.held_records[worker.next_held++ % Worker::kHeldRecords];
  if (place.mbuf != nullptr) worker.Drop(place, DropReason::kRecordCut);
  place = held;
}

Frame* FindHeld(Worker& worker, const Frame& stream) {
  for (Frame& held : worker.held_records) {
    if (held.mbuf != nullptr && held.lane == stream.lane &&
        held.stream_offset + held.length == stream.stream_offset) {
      return &held;
    }
  }
  return nullptr;
}

// Continues a held record with the front of the stream.
void Join(Worker& worker, Frame& held, Frame& stream, RecordBurst& records) {
  if (held.length < wire::kRecordFraming) {
    Take(held, stream,
         static_cast<uint32_t>(wire::kRecordFraming) - held.length);
    if (held.length < wire::kRecordFraming) return;
  }
  const auto size = wire::RecordSize({held.data, held.length});
  if (!size || !HasRoom(held, *size)) {
    worker.Drop(held, size ? DropReason::kRecordCut : DropReason::kNoRecord);
    held = Frame{};
    return;
  }
  Take(held, stream, static_cast<uint32_t>(*size) - held.length);
  if (held.length < *size) return;
  records.Push(held);
  held = Frame{};
}

// Cuts whole records off the front, as many as there is room for. Each takes a
// reference, all counted at once; the last of a stream takes the stream's own.
void CutWhole(Frame& stream, RecordBurst& records) {
  uint16_t cut = 0;
  while (stream.length > 0 && !records.full()) {
    const auto size = wire::RecordSize({stream.data, stream.length});
    if (!size || *size > stream.length) break;
    const auto length = static_cast<uint32_t>(*size);
    records.Push(stream);
    records.frames().back().length = length;
    stream.data += length;
    stream.length -= length;
    stream.stream_offset += length;
    ++cut;
  }
  const int more = stream.length > 0 ? cut : cut - 1;
  if (more > 0) {
    rte_mbuf_refcnt_update(stream.mbuf, static_cast<int16_t>(more));
  }
}

bool MayBegin(const Frame& stream) {
  return stream.length < wire::kRecordFraming ||
         wire::RecordSize({stream.data, stream.length}).has_value();
}

}  // namespace

void CutRecords(Worker& worker, Frame stream, RecordBurst& records) {
  if (Frame* held = FindHeld(worker, stream); held != nullptr) {
    Join(worker, *held, stream, records);
    if (stream.length == 0) return rte_pktmbuf_free(stream.mbuf);
  }
  CutWhole(stream, records);
  if (stream.length == 0) return;
  if (records.full()) {
    worker.received.rest = stream;
  } else if (MayBegin(stream)) {
    Hold(worker, stream);
  } else {
    worker.Drop(stream, DropReason::kNoRecord);
  }
}

}  // namespace lwt
