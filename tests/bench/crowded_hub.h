// A hub of thousands of clients in memory, for what its control thread costs:
// the real sessions, publisher and owners above a worker that only answers, in
// fake time. Clients do their halves of handshakes for real, and untimed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "control/handshake/client_handshake.h"
#include "control/handshake/control_channel.h"
#include "control/hub/hub_sessions.h"
#include "control/session/worker_road.h"

namespace lwt::bench {

// A worker that notes what it was told, and has what it counts at hand.
class QuietWorker final : public peer::WorkerLink {
 public:
  using WorkerLink::Send;
  void Send(WorkerIndex worker, Command command) override;
  void SendToAll(const CommandToAll&) override {}
  void Publish(std::unique_ptr<const Snapshot> snapshot) override {
    snapshot_ = std::move(snapshot);
  }
  peer::CommandMark Mark() const override { return {}; }
  bool Passed(const peer::CommandMark&) const override { return true; }
  LaneReading ReadLane(peer::LaneName lane) const override {
    return readings_[lane.index.value];
  }
  bool Opens(const peer::OpeningKeys&,
             std::span<const uint8_t>) const override {
    return false;
  }

  // What was sent on a flow since the last time.
  std::vector<uint8_t> Take(FlowId flow);
  // What the clients answer to control messages that were sent since the last
  // time: that they have them.
  std::vector<PuntedRecord> TakeAnswers(uint64_t now_us);
  // A record of the peer came on the lane.
  void Heard(uint32_t lane, uint64_t now_us) {
    readings_[lane].last_rx_us = now_us;
  }
  void Resize(size_t lanes) { readings_.resize(lanes); }
  const std::vector<uint32_t>& lanes() const { return lanes_; }

 private:
  std::map<uint64_t, std::vector<uint8_t>> said_;
  std::vector<LaneReading> readings_;
  std::vector<uint32_t> lanes_;  // all that were ever made
  std::map<uint32_t, handshake::ControlChannel> clients_;  // by lane
  std::vector<SendRecordCommand> records_;                 // not answered yet
  std::unique_ptr<const Snapshot> snapshot_;
};

class CrowdedHub final : private peer::PeerHost {
 public:
  explicit CrowdedHub(uint32_t most);

  // One client asks to be let in, and hears the verdict while time passes, once
  // a snapshot has it. Aborts where it is not let in.
  void Join();
  // The last so many are gone again, as if they had never been.
  void Forget(size_t count);
  // So much time passes with nothing but the clients' keep-alives.
  void Idle(uint64_t for_us);
  // All that have asked have heard.
  void Settle();

  // Cycles that the hub took so far: for snapshots, and for all else.
  uint64_t publishing() const { return publishing_; }
  uint64_t working() const { return working_; }

  uint64_t now_us() const { return now_us_; }
  size_t clients() const { return keys_.size(); }
  uint64_t snapshots() const { return road_.peers.version(); }
  uint64_t visits() const { return hub_->visits(); }

 private:
  struct Asking {
    FlowId flow;
    std::unique_ptr<handshake::StaticKey> key;
    std::unique_ptr<handshake::ClientHandshake> client;
  };

  void Turn();
  void Hear(FlowId flow, std::vector<uint8_t> bytes, uint64_t offset);
  void HearVerdicts();
  void HearAnswers();
  void KeepAlive();

  uint64_t UnixMs() override { return 1'750'000'000'000 + now_us_ / 1000; }
  void FollowNextHop(FlowId, const peer::FlowWay&) override {}
  void ForgetNextHop(FlowId) override {}
  void SuspectPath(const IpAddress&) override {}
  void SetInnerMtu(uint16_t) override {}
  uint16_t MaxInnerMtu(const Endpoint&) override { return 1409; }

  uint64_t now_us_ = 1'000'000;
  loop::Log log_{loop::LogLevel::kError};
  handshake::SecretKey psk_;
  handshake::KeyRing ring_;
  handshake::StaticKey identity_;
  QuietWorker worker_;
  peer::WorkerRoad road_;
  std::unique_ptr<peer::HubSessions> hub_;
  std::vector<handshake::PublicKey> keys_;  // of those that are there
  uint32_t joined_ = 0;                     // ever
  std::vector<Asking> asking_;
  uint64_t publishing_ = 0;
  uint64_t working_ = 0;
  size_t next_alive_ = 0;
  uint64_t next_alive_us_ = 0;
};

}  // namespace lwt::bench
