// Inner flows through a client and a hub, and others beside them, over one line
// in fake time. The two workers are the real ones, with all their stages; the
// line and the flows are models. A run is the same for the same seed.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/support/line/inner_tcp.h"
#include "tests/support/line/line_model.h"

namespace lwt::testing {

class LineRun;

// What a flow sends and takes. Its packets are known by their numbers.
class LineFlow {
 public:
  virtual ~LineFlow() = default;
  // Numbers of packets that leave now, into `out`, with their bytes.
  struct Packet {
    bool forward = true;
    uint32_t bytes = 0;
    uint64_t body = 0;  // the flow's own
    bool ect = false;
    uint8_t protocol = 6;
  };
  virtual void Emit(uint64_t now_us, std::vector<Packet>& out) = 0;
  virtual void Take(const Packet& packet, bool marked, uint64_t now_us) = 0;
  virtual uint64_t NextDeadline() const = 0;
};

// One connection from the client's side to the hub's.
class TcpFlow final : public LineFlow {
 public:
  static constexpr uint32_t kBytes = 1400;
  static constexpr uint32_t kAckBytes = 52;

  explicit TcpFlow(const CubicSender::Options& options)
      : sender(options), options_(options) {}
  void Emit(uint64_t now_us, std::vector<Packet>& out) override;
  void Take(const Packet& packet, bool marked, uint64_t now_us) override;
  uint64_t NextDeadline() const override;

  CubicSender sender;
  TcpReceiver receiver;
  uint64_t start_us = 0;

 private:
  void Answer(const std::optional<TcpAck>& ack);

  const CubicSender::Options options_;
  std::unordered_map<uint64_t, TcpSegment> segments_;
  std::unordered_map<uint64_t, TcpAck> acks_;
  uint64_t next_body_ = 0;
  std::vector<Packet> answers_;
};

// Packets at a constant rate, numbered.
class DatagramFlow final : public LineFlow {
 public:
  DatagramFlow(uint64_t rate_bps, uint32_t bytes)
      : bytes_(bytes),
        gap_us_(static_cast<double>(bytes) * 8e6 /
                static_cast<double>(rate_bps)) {}
  void Emit(uint64_t now_us, std::vector<Packet>& out) override;
  void Take(const Packet& packet, bool marked, uint64_t now_us) override;
  uint64_t NextDeadline() const override {
    return static_cast<uint64_t>(next_us_);
  }
  uint64_t sent = 0;
  uint64_t arrived = 0;

 private:
  const uint32_t bytes_;
  const double gap_us_;
  double next_us_ = 0;
};

// Ten a second; how long each took, there and back.
class PingFlow final : public LineFlow {
 public:
  void Emit(uint64_t now_us, std::vector<Packet>& out) override;
  void Take(const Packet& packet, bool marked, uint64_t now_us) override;
  uint64_t NextDeadline() const override {
    return echoes_.empty() ? next_us_ : 0;
  }
  uint64_t sent = 0;
  std::vector<uint64_t> took_us;
  double mean_ms() const;

 private:
  uint64_t next_us_ = 0;
  std::vector<Packet> echoes_;
};

struct LineRunOptions {
  LineOptions line;  // client to hub; the way back has its delay and loss
  fec::Settings fec;
  bool retransmit = true;
  uint64_t tick_us = 50;
};

class LineRun {
 public:
  enum class Way : uint8_t { kTunnel, kBare };

  explicit LineRun(const LineRunOptions& options);
  ~LineRun();

  // Before Run, or between two of them. The flow is the caller's.
  void Add(LineFlow& flow, Way way);
  void Run(uint64_t us);

  uint64_t now_us() const { return now_us_; }
  LineModel& line() { return *lines_[0]; }
  GatewayPair& pair() { return *pair_; }
  Worker& client() { return pair_->client.worker(); }
  Worker& hub() { return pair_->hub.worker(); }
  OuterTcp::FlowStats outer() {
    return *client().tcp.Stats(pair_->client_flow);
  }
  std::string Drops() { return DropsOf(*pair_); }

 private:
  class UplinkEnd;
  class InsideEnd;
  struct Packet {
    LineFlow* flow = nullptr;
    LineFlow::Packet packet;
    uint32_t index = 0;
    Way way = Way::kTunnel;
  };
  struct Entry {
    LineFlow* flow;
    Way way;
  };

  void EmitAll();
  void Carry(bool forward);
  void TakeInside(bool at_hub, rte_mbuf* mbuf);
  rte_mbuf* MakeInner(const Packet& packet, uint64_t number);
  uint64_t NextEvent() const;
  void RunWorkers();

  const LineRunOptions options_;
  std::array<std::unique_ptr<LineModel>, 2> lines_;
  std::array<UplinkEnd*, 2> uplinks_{};  // of the client, of the hub
  std::array<InsideEnd*, 2> insides_{};
  std::unique_ptr<GatewayPair> pair_;
  std::vector<Entry> flows_;
  std::unordered_map<uint64_t, Packet> packets_;    // inside the tunnel
  std::unordered_map<uint64_t, rte_mbuf*> frames_;  // on the line
  uint64_t next_number_ = 1;
  uint64_t now_us_ = 0;
  uint64_t ran_us_ = 0;
  std::vector<LineFlow::Packet> emitted_;
};

}  // namespace lwt::testing
