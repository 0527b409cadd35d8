// Puts small packets of one lane together in a shard.
#include <rte_memcpy.h>

#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Sets the mbuf's own idea of its data to the frame's.
void SyncMbuf(const Frame& frame) {
  frame.mbuf->data_off = static_cast<uint16_t>(
      frame.data - static_cast<uint8_t*>(frame.mbuf->buf_addr));
  frame.mbuf->data_len = static_cast<uint16_t>(frame.length);
  frame.mbuf->pkt_len = frame.length;
}

bool HasRoom(const Frame& shard, uint32_t more, uint32_t max_shard) {
  return shard.length + more <= max_shard &&
         rte_pktmbuf_tailroom(shard.mbuf) >= more + wire::kRecordTag;
}

void WriteWord(const Frame& packet, uint8_t* out) {
  wire::ShardWord word;
  word.length = static_cast<uint16_t>(packet.length);
  word.checksum_good = packet.checksum == InnerChecksum::kGood;
  word.checksum_unfinished = packet.checksum == InnerChecksum::kUnfinished;
  wire::WriteShardWord(word, out);
}

void Append(Frame& shard, const Frame& packet) {
  uint8_t* const end = shard.data + shard.length;
  WriteWord(packet, end);
  rte_memcpy(end + wire::kShardWord, packet.data, packet.length);
  shard.length += static_cast<uint32_t>(wire::kShardWord) + packet.length;
  ++shard.packets;
  SyncMbuf(shard);
  rte_pktmbuf_free(packet.mbuf);
}

}  // namespace

void Pack(Worker& worker, PacketBurst& packets) {
  const StageCheck check(worker.ledger, packets);
  size_t kept = 0;
  for (Frame& packet : packets.frames()) {
    session::Lane& lane = worker.LaneInRound(packet.lane);
    const uint32_t more =
        static_cast<uint32_t>(wire::kShardWord) + packet.length;
    const uint32_t max_shard =
        worker.tcp.MaxPayload(lane.flow) - wire::kRecordOverhead;
    LaneCounters& counters = worker.lane_counters[packet.lane.value];
    counters.tx_packets.Add(1);
    counters.tx_bytes.Add(packet.length);
    if (lane.open_shard != session::Lane::kNoShard) {
      Frame& open = packets.frames()[lane.open_shard];
      if (HasRoom(open, more, max_shard)) {
        Append(open, packet);
        worker.ledger.Gone();
        continue;
      }
    }
    // It becomes the shard, in its place.
    uint8_t* const word = packet.data - wire::kShardWord;
    WriteWord(packet, word);
    packet.data = word;
    packet.length = more;
    SyncMbuf(packet);
    // A record that no segment of the flow takes is cut by Encapsulate.
    if (more > max_shard &&
        rte_pktmbuf_tailroom(packet.mbuf) < wire::kRecordTag) {
      worker.Drop(packet, DropReason::kInnerTooBig);
      continue;
    }
    lane.open_shard = static_cast<uint32_t>(kept);
    packets.Keep(kept++, packet);
  }
  packets.Truncate(kept);
}

}  // namespace lwt
