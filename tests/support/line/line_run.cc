#include "tests/support/line/line_run.h"

#include <rte_memcpy.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/wire/be.h"
#include "tests/support/wire_frames.h"

namespace lwt::testing {
namespace {

constexpr size_t kEthernet = 14;
// What the frame takes of a line beside its bytes: nothing.
constexpr size_t kNumberAt = 40;  // behind IPv4 and TCP
constexpr uint32_t kLeastInner = 52;
constexpr uint64_t kIdleStepUs = 1000;
// Delays of the line until all has arrived.
constexpr uint64_t kSettled = 6;

}  // namespace

// The uplink of one side: what it sends goes on the line.
class LineRun::UplinkEnd final : public Port {
 public:
  UplinkEnd(LineRun& run, bool client)
      : Port(PortInfo{.driver = "ring",
                      .device = "line",
                      .link_header_size = kEthernet,
                      .mtu = 1500}),
        run_(run),
        client_(client) {}

  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    const auto count =
        static_cast<uint16_t>(std::min(frames.size(), arrived.size()));
    for (uint16_t i = 0; i < count; ++i) {
      frames[i] = arrived.front();
      arrived.pop_front();
    }
    return count;
  }

  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    for (rte_mbuf* frame : frames) Send(frame);
    return static_cast<uint16_t>(frames.size());
  }

  int wait_fd() const override { return -1; }

  std::deque<rte_mbuf*> arrived;

 private:
  // A copy, as on a wire: the sender goes on to keep its own.
  void Send(rte_mbuf* frame) {
    rte_mbuf* const copy = rte_pktmbuf_alloc(TestPool());
    ASSERT_NE(copy, nullptr) << "the pool is too small for the line";
    const uint32_t size = rte_pktmbuf_pkt_len(frame);
    char* const room = rte_pktmbuf_append(copy, static_cast<uint16_t>(size));
    const void* bytes = rte_pktmbuf_read(frame, 0, size, room);
    if (bytes != room) rte_memcpy(room, bytes, size);
    copy->l2_len = kEthernet;
    copy->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    rte_pktmbuf_free(frame);
    const uint64_t number = run_.next_number_++;
    if (run_.lines_[client_ ? 0 : 1]->Offer({number, size}, run_.now_us_)) {
      run_.frames_[number] = copy;
    } else {
      rte_pktmbuf_free(copy);
    }
  }

  LineRun& run_;
  const bool client_;
};

// The inside of one side.
class LineRun::InsideEnd final : public Port {
 public:
  InsideEnd(LineRun& run, bool client)
      : Port(PortInfo{.driver = "ring", .device = "inside", .mtu = 1500}),
        run_(run),
        client_(client) {}

  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    const auto count =
        static_cast<uint16_t>(std::min(frames.size(), waiting.size()));
    for (uint16_t i = 0; i < count; ++i) {
      frames[i] = waiting.front();
      waiting.pop_front();
    }
    return count;
  }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    for (rte_mbuf* frame : frames) run_.TakeInside(!client_, frame);
    return static_cast<uint16_t>(frames.size());
  }
  int wait_fd() const override { return -1; }

  std::deque<rte_mbuf*> waiting;

 private:
  LineRun& run_;
  const bool client_;
};

LineRun::LineRun(const LineRunOptions& options) : options_(options) {
  test_pool_size = 80'000;
  StartTestEal();
  LineOptions back = options.line;
  back.rate_bps = 0;
  back.seed += 1'000'003;
  lines_[0] = std::make_unique<LineModel>(options.line);
  lines_[1] = std::make_unique<LineModel>(back);
  std::array<NodePorts, 2> ports;
  for (size_t i = 0; i < 2; ++i) {
    auto uplink = std::make_unique<UplinkEnd>(*this, i == 0);
    auto inside = std::make_unique<InsideEnd>(*this, i == 0);
    uplinks_[i] = uplink.get();
    insides_[i] = inside.get();
    ports[i].uplink = std::move(uplink);
    ports[i].tunnel = std::move(inside);
  }
  WorkerOptions worker = SmallWorker();
  worker.arena_bytes = 64u << 20;
  worker.tuning.fec = options.fec;
  worker.retransmit = options.retransmit;
  pair_ = std::make_unique<GatewayPair>(worker, std::move(ports[0]),
                                        std::move(ports[1]));
  now_us_ = pair_->now_us;
  pair_->Listen();
  lines_[0]->SetLoss(0);
  lines_[1]->SetLoss(0);
  pair_->Join(0, [this] { Run(kSettled * (1000 + options_.line.delay_us)); });
  lines_[0]->SetLoss(options.line.loss);
  lines_[1]->SetLoss(options.line.loss);
}

LineRun::~LineRun() {
  for (auto& [number, frame] : frames_) rte_pktmbuf_free(frame);
  for (size_t i = 0; i < 2; ++i) {
    for (rte_mbuf* frame : uplinks_[i]->arrived) rte_pktmbuf_free(frame);
    for (rte_mbuf* frame : insides_[i]->waiting) rte_pktmbuf_free(frame);
  }
}

void LineRun::Add(LineFlow& flow, Way way) { flows_.push_back({&flow, way}); }

// An inner packet of the flow, whose ports tell it.
rte_mbuf* LineRun::MakeInner(const Packet& packet, uint64_t number) {
  rte_mbuf* const mbuf = rte_pktmbuf_alloc(TestPool());
  EXPECT_NE(mbuf, nullptr) << "the pool is too small for the line";
  if (mbuf == nullptr) return nullptr;
  const uint32_t size = std::max(packet.packet.bytes, kLeastInner);
  auto* const bytes = reinterpret_cast<uint8_t*>(
      rte_pktmbuf_append(mbuf, static_cast<uint16_t>(size)));
  std::memset(bytes, 0, kLeastInner);
  bytes[0] = 0x45;
  bytes[1] = packet.packet.ect ? 2 : 0;
  wire::StoreBe16(bytes + 2, static_cast<uint16_t>(size));
  bytes[8] = 64;
  bytes[9] = packet.packet.protocol;
  const uint8_t client[] = {10, 0, 0, 2};
  const uint8_t hub[] = {10, 0, 0, 1};
  std::memcpy(bytes + 12, packet.packet.forward ? client : hub, 4);
  std::memcpy(bytes + 16, packet.packet.forward ? hub : client, 4);
  wire::StoreBe16(bytes + 20, static_cast<uint16_t>(1000 + packet.index));
  wire::StoreBe16(bytes + 22, static_cast<uint16_t>(1000 + packet.index));
  bytes[32] = 5 << 4;
  std::memcpy(bytes + kNumberAt, &number, sizeof(number));
  return mbuf;
}

void LineRun::EmitAll() {
  for (size_t i = 0; i < flows_.size(); ++i) {
    emitted_.clear();
    flows_[i].flow->Emit(now_us_, emitted_);
    for (const LineFlow::Packet& each : emitted_) {
      const uint64_t number = next_number_++;
      const Packet packet{flows_[i].flow, each, static_cast<uint32_t>(i),
                          flows_[i].way};
      if (packet.way == Way::kBare) {
        const LineModel::Packet bare{
            number, std::max(each.bytes, kLeastInner) + uint32_t{kEthernet}};
        if (lines_[each.forward ? 0 : 1]->Offer(bare, now_us_)) {
          packets_[number] = packet;
        }
      } else if (rte_mbuf* mbuf = MakeInner(packet, number)) {
        packets_[number] = packet;
        insides_[each.forward ? 0 : 1]->waiting.push_back(mbuf);
      }
    }
  }
}

void LineRun::TakeInside(bool at_hub, rte_mbuf* mbuf) {
  uint64_t number = 0;
  std::memcpy(&number, rte_pktmbuf_mtod_offset(mbuf, char*, kNumberAt),
              sizeof(number));
  const bool marked = (*rte_pktmbuf_mtod_offset(mbuf, uint8_t*, 1) & 3) == 3;
  rte_pktmbuf_free(mbuf);
  const auto at = packets_.find(number);
  ASSERT_TRUE(at != packets_.end()) << "came twice";
  const Packet packet = at->second;
  packets_.erase(at);
  ASSERT_EQ(packet.packet.forward, at_hub);
  packet.flow->Take(packet.packet, marked, now_us_);
}

void LineRun::Carry(bool forward) {
  LineModel& line = *lines_[forward ? 0 : 1];
  while (const auto packet = line.Take(now_us_)) {
    const auto frame = frames_.find(packet->number);
    if (frame != frames_.end()) {
      uplinks_[forward ? 1 : 0]->arrived.push_back(frame->second);
      frames_.erase(frame);
      continue;
    }
    const auto at = packets_.find(packet->number);
    const Packet bare = at->second;
    packets_.erase(at);
    bare.flow->Take(bare.packet, /*marked=*/false, now_us_);
  }
}

uint64_t LineRun::NextEvent() const {
  uint64_t next = std::min(lines_[0]->NextArrival(), lines_[1]->NextArrival());
  for (const Entry& each : flows_) {
    next = std::min(next, each.flow->NextDeadline());
  }
  return next;
}

void LineRun::RunWorkers() {
  for (int i = 0; i < 8; ++i) {
    pair_->client.RunAt(now_us_);
    pair_->hub.RunAt(now_us_);
    if (!pair_->client.worker().worked && !pair_->hub.worker().worked) break;
  }
  pair_->now_us = now_us_;
  ran_us_ = now_us_;
}

void LineRun::Run(uint64_t us) {
  const uint64_t end_us = now_us_ + us;
  while (now_us_ < end_us) {
    const uint64_t next =
        std::min({NextEvent(), ran_us_ + kIdleStepUs, end_us});
    now_us_ = std::max(now_us_ + options_.tick_us, next);
    Carry(true);
    Carry(false);
    EmitAll();
    RunWorkers();
  }
}

void TcpFlow::Answer(const std::optional<TcpAck>& ack) {
  if (!ack) return;
  const uint64_t body = next_body_++;
  acks_[body] = *ack;
  answers_.push_back({.forward = false, .bytes = kAckBytes, .body = body});
}

void TcpFlow::Emit(uint64_t now_us, std::vector<Packet>& out) {
  if (now_us < start_us) return;
  Answer(receiver.OnTimer(now_us));
  sender.OnTimer(now_us);
  while (const auto segment = sender.Next(now_us)) {
    const uint64_t body = next_body_++;
    segments_[body] = *segment;
    out.push_back({.bytes = kBytes, .body = body, .ect = options_.ecn});
  }
  out.insert(out.end(), answers_.begin(), answers_.end());
  answers_.clear();
}

void TcpFlow::Take(const Packet& packet, bool marked, uint64_t now_us) {
  if (packet.forward) {
    TcpSegment segment = segments_.extract(packet.body).mapped();
    segment.marked = marked;
    Answer(receiver.Take(segment, now_us));
  } else {
    sender.OnAck(acks_.extract(packet.body).mapped(), now_us);
  }
}

uint64_t TcpFlow::NextDeadline() const {
  if (!answers_.empty()) return 0;
  return std::max(start_us,
                  std::min(receiver.NextDeadline(), sender.NextDeadline()));
}

void DatagramFlow::Emit(uint64_t now_us, std::vector<Packet>& out) {
  if (next_us_ == 0) next_us_ = static_cast<double>(now_us);
  while (next_us_ <= static_cast<double>(now_us)) {
    next_us_ += gap_us_;
    ++sent;
    out.push_back({.bytes = bytes_, .protocol = 17});
  }
}

void DatagramFlow::Take(const Packet&, bool, uint64_t) { ++arrived; }

void PingFlow::Emit(uint64_t now_us, std::vector<Packet>& out) {
  constexpr uint64_t kGapUs = 100'000;
  constexpr uint32_t kBytes = 84;
  if (now_us >= next_us_) {
    next_us_ = now_us + kGapUs;
    ++sent;
    out.push_back({.bytes = kBytes, .body = now_us, .protocol = 1});
  }
  out.insert(out.end(), echoes_.begin(), echoes_.end());
  echoes_.clear();
}

void PingFlow::Take(const Packet& packet, bool, uint64_t now_us) {
  if (!packet.forward) return took_us.push_back(now_us - packet.body);
  Packet echo = packet;
  echo.forward = false;
  echoes_.push_back(echo);
}

double PingFlow::mean_ms() const {
  double sum = 0;
  for (const uint64_t each : took_us) sum += static_cast<double>(each);
  return took_us.empty() ? 0 : sum / static_cast<double>(took_us.size()) / 1000;
}

}  // namespace lwt::testing
