#include "tests/unit/control/session/fake_net.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/record.h"

namespace lwt::peer {
namespace {

// A fake record: the framing of a true one, then kind, epoch, key, iv, mask,
// content.
constexpr size_t kKind = wire::kRecordFraming;
constexpr size_t kEpoch = kKind + 1;
constexpr size_t kKey = kEpoch + 4;
constexpr size_t kIv = kKey + 32;
constexpr size_t kMask = kIv + 12;
constexpr size_t kHeader = kMask + 32;

bool OpensBy(std::span<const uint8_t> record, const EpochKeys& keys,
             const MaskSecret& mask) {
  uint32_t epoch = 0;
  if (record.size() < kHeader) return false;
  std::memcpy(&epoch, &record[kEpoch], 4);
  return epoch == keys.epoch &&
         std::memcmp(&record[kKey], keys.key.data(), 32) == 0 &&
         std::memcmp(&record[kIv], keys.iv.data(), 12) == 0 &&
         std::memcmp(&record[kMask], mask.data(), 32) == 0;
}

}  // namespace

bool FakeWorker::Opens(const OpeningKeys& keys,
                       std::span<const uint8_t> record) const {
  return std::any_of(keys.epochs.begin(), keys.epochs.end(),
                     [&](const EpochKeys& epoch) {
                       return OpensBy(record, epoch, keys.mask);
                     });
}

LaneReading FakeWorker::ReadLane(LaneName lane) const {
  auto found = lanes.find(lane);
  return found == lanes.end() ? LaneReading{} : found->second.reading;
}

void FakeWorker::Send(WorkerIndex worker, Command command) {
  running_ = worker;
  if (on_send) on_send(command);
  std::visit([this](const auto& which) { Run(which); }, command);
}

void FakeWorker::TakePath(LaneName lane, uint64_t payload) {
  lanes.at(lane).reading.segment_payload = payload;
  Event changed;
  changed.kind = EventKind::kPathChanged;
  changed.flow = lanes.at(lane).flow;
  events.push_back(FakeEvent(lane, changed));
}

void FakeWorker::Crash() {
  flows.clear();
  lanes.clear();
  listening = false;
}

void FakeWorker::Run(const ConnectCommand& command) {
  FlowId mine = FlowId::Of(next_flow++, 1, command.worker);
  net_.Carry(command.local, command.remote, [this, command, mine] {
    if (!hub->listening) {
      net_.Carry(command.local, command.remote, [this, command] {
        Event down;
        down.kind = EventKind::kFlowDown;
        down.detail = static_cast<uint8_t>(FlowDownReason::kRefused);
        down.token = command.token;
        events.push_back(down);
      });
      return;
    }
    const uint32_t ports = command.local.port + command.remote.port;
    FlowId theirs = FlowId::Of(hub->next_flow++, 2, {ports % hub->workers});
    hub->flows[theirs.value] = {this, mine, command.remote, command.local};
    Event up;
    up.kind = EventKind::kFlowUp;
    up.flow = theirs;
    up.local = command.remote;
    up.remote = command.local;
    hub->events.push_back(up);
    net_.Carry(command.local, command.remote, [this, command, mine, theirs] {
      flows[mine.value] = {hub, theirs, command.local, command.remote};
      Event answer;
      answer.kind = EventKind::kFlowUp;
      answer.token = command.token;
      answer.flow = mine;
      answer.local = command.local;
      answer.remote = command.remote;
      events.push_back(answer);
    });
  });
}

void FakeWorker::Run(const SendStreamCommand& command) {
  auto flow = flows.find(command.flow.value);
  if (flow == flows.end()) return;
  uint64_t offset = flow->second.sent;
  flow->second.sent += command.bytes.size();
  if (net_.tap) {
    net_.tap(flow->second.local, flow->second.remote, command.bytes);
  }
  net_.Carry(
      flow->second.local, flow->second.remote,
      [to = flow->second.to, other = flow->second.other, bytes = command.bytes,
       offset] { to->Arrive(other, bytes, offset); });
}

void FakeWorker::Arrive(FlowId flow, const std::vector<uint8_t>& bytes,
                        uint64_t offset) {
  if (!flows.contains(flow.value)) return;
  std::vector<std::pair<uint64_t, std::vector<uint8_t>>> pieces;
  for (size_t at = 0; at < bytes.size();) {
    size_t size = std::min(cut, bytes.size() - at);
    auto begin = bytes.begin() + static_cast<ptrdiff_t>(at);
    pieces.emplace_back(
        offset + at,
        std::vector<uint8_t>(begin, begin + static_cast<ptrdiff_t>(size)));
    at += size;
  }
  if (reverse) std::reverse(pieces.begin(), pieces.end());
  for (const auto& [at, piece] : pieces) Punt(flow, piece, at);
}

void FakeWorker::Punt(FlowId flow, const std::vector<uint8_t>& bytes,
                      uint64_t offset) {
  streams.push_back({flow, offset, bytes});
}

void FakeWorker::Run(const InstallLaneCommand& command) {
  Lane lane;
  lane.flow = command.flow;
  lane.peer = command.peer;
  lane.send = command.send;
  lane.receive[command.receive.epoch] = command.receive;
  lane.send_mask = command.send_mask;
  lane.receive_mask = command.receive_mask;
  lane.tuning = command.tuning;
  lane.reading.last_rx_us = net_.now_us;
  lanes[Named(command.lane)] = lane;
  auto flow = flows.find(command.flow.value);
  if (flow != flows.end()) flow->second.lane = Named(command.lane);
}

void FakeWorker::Run(const RemoveLaneCommand& command) {
  auto lane = lanes.find(Named(command.lane));
  if (lane == lanes.end()) return;
  FlowId flow = lane->second.flow;
  lanes.erase(lane);
  End(flow, command.close_flow);
}

void FakeWorker::End(FlowId id, bool fin) {
  auto flow = flows.find(id.value);
  if (flow == flows.end()) return;
  Flow gone = flow->second;
  flows.erase(flow);
  if (!fin) return;
  net_.Carry(gone.local, gone.remote, [gone] {
    if (!gone.to->flows.contains(gone.other.value)) return;
    Event down;
    down.kind = EventKind::kFlowDown;
    down.detail = static_cast<uint8_t>(FlowDownReason::kClosedByPeer);
    down.flow = gone.other;
    gone.to->events.push_back(down);
  });
}

void FakeWorker::Run(const InstallReceiveEpochCommand& command) {
  auto lane = lanes.find(Named(command.lane));
  if (lane == lanes.end()) return;
  lane->second.receive[command.keys.epoch] = command.keys;
  if (lane->second.receive.size() > 4) {
    lane->second.receive.erase(lane->second.receive.begin());
  }
}

void FakeWorker::Run(const SwitchSendEpochCommand& command) {
  auto lane = lanes.find(Named(command.lane));
  if (lane != lanes.end()) lane->second.send = command.keys;
}

void FakeWorker::Run(const RetireReceiveEpochCommand& command) {
  auto lane = lanes.find(Named(command.lane));
  if (lane != lanes.end()) lane->second.receive.erase(command.epoch);
}

void FakeWorker::SealAndSend(LaneName index, uint8_t kind,
                             std::vector<uint8_t> content) {
  auto lane = lanes.find(index);
  if (lane == lanes.end()) return;
  auto flow = flows.find(lane->second.flow.value);
  if (flow == flows.end()) return;
  ++lane->second.reading.records_sealed;
  const EpochKeys& keys = lane->second.send;
  std::vector<uint8_t> bytes(kHeader);
  wire::WriteRecordFraming(kHeader + content.size() - wire::kRecordOverhead,
                           bytes.data());
  bytes[kKind] = kind;
  std::memcpy(&bytes[kEpoch], &keys.epoch, 4);
  std::memcpy(&bytes[kKey], keys.key.data(), 32);
  std::memcpy(&bytes[kIv], keys.iv.data(), 12);
  std::memcpy(&bytes[kMask], lane->second.send_mask.data(), 32);
  bytes.insert(bytes.end(), content.begin(), content.end());
  uint64_t offset = flow->second.sent;
  flow->second.sent += bytes.size();
  net_.Carry(flow->second.local, flow->second.remote,
             [to = flow->second.to, other = flow->second.other, bytes, offset] {
               to->ArriveRecord(other, bytes, offset);
             });
}

void FakeWorker::ArriveRecord(FlowId id, const std::vector<uint8_t>& bytes,
                              uint64_t offset) {
  auto flow = flows.find(id.value);
  if (flow == flows.end()) return;
  if (flow->second.lane == LaneName::kNone) {
    Punt(id, bytes, offset);
    return;
  }
  const LaneName index = flow->second.lane;
  Lane& lane = lanes[index];
  const bool opens = std::any_of(
      lane.receive.begin(), lane.receive.end(), [&](const auto& held) {
        return OpensBy(bytes, held.second, lane.receive_mask);
      });
  if (!opens) {
    ++bad_tags;
    return;
  }
  ++lane.reading.records_opened;
  lane.reading.last_rx_us = net_.now_us;
  std::vector<uint8_t> content(bytes.begin() + kHeader, bytes.end());
  switch (static_cast<wire::RecordKind>(bytes[kKind])) {
    case wire::RecordKind::kData:
      ++data_received;
      ++lane.reading.rx_packets;
      break;
    case wire::RecordKind::kReport:
      if (content.at(0) == 1) {
        content[0] = 2;
        SealAndSend(index, bytes[kKind], content);
      } else {
        Event answer;
        answer.kind = EventKind::kReportAnswer;
        answer.value = 2 * FakeNet::kDelayUs;
        events.push_back({index, answer});
      }
      break;
    default:
      records.push_back({index.worker, {index.index, bytes[kKind], content}});
  }
}

void FakeWorker::Run(const SendRecordCommand& command) {
  SealAndSend(Named(command.lane), command.kind, command.bytes);
}

void FakeWorker::Run(const ProbeLaneCommand& command) {
  SealAndSend(Named(command.lane),
              static_cast<uint8_t>(wire::RecordKind::kReport), {1});
}

void FakeWorker::Run(const ReinjectCommand& command) {
  // What control kept of a stream may be many records.
  std::span<const uint8_t> bytes = command.bytes;
  uint64_t offset = command.stream_offset;
  while (!bytes.empty()) {
    const size_t size =
        std::min(wire::RecordSize(bytes).value_or(bytes.size()), bytes.size());
    const auto record = bytes.first(size);
    ArriveRecord(command.flow, {record.begin(), record.end()}, offset);
    bytes = bytes.subspan(size);
    offset += size;
  }
}

bool FakeWorker::SendData(uint32_t to, uint32_t worker) {
  if (!published || to >= published->peers.size()) return false;
  const LaneIndex own = published->peers.at(to).lanes[worker];
  if (own == LaneIndex::kNone) return false;
  const LaneName index{{worker}, own};
  auto lane = lanes.find(index);
  if (lane == lanes.end()) return false;
  lane->second.reading.last_data_tx_us = net_.now_us;
  ++lane->second.reading.tx_packets;
  SealAndSend(index, static_cast<uint8_t>(wire::RecordKind::kData), {42});
  return true;
}

}  // namespace lwt::peer
