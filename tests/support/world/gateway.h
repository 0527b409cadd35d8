// A gateway of a fake world: the real sessions of a client or a hub over a real
// worker, which no thread runs: it is stepped by hand, in fake time. Only the
// host below it is ours: ports, next hops and names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/base/log.h"
#include "control/client/client_session.h"
#include "control/handshake/static_key.h"
#include "control/hub/hub_sessions.h"
#include "control/session/worker_road.h"
#include "control/workers/mailbox_link.h"
#include "control/workers/worker_inbox.h"
#include "dataplane/worker.h"
#include "dataplane/worker_state.h"
#include "tests/support/world/network.h"
#include "tests/support/world/wire_port.h"

namespace lwt::world {

// Where keys, nonces and jitter come from, the same for the same seed.
void SeedRandom(uint64_t seed);
void WorldRandom(std::span<uint8_t> out);

// What all gateways of a world share; outlives them.
struct Surroundings {
  const uint64_t& now_us;
  Network& internet;
  rte_mempool* small = nullptr;
  rte_mempool* jumbo = nullptr;
  loop::Log log{loop::LogLevel::kError};
};

// A hub as a client's settings and the names of the world have it.
struct NamedHub {
  peer::HubTarget target;
  std::vector<Endpoint> endpoints;  // none: the name is not found
};

struct GatewayOptions {
  Endpoint outer;              // a client's port counts upwards from here
  std::vector<Endpoint> also;  // its further addresses
  IpPrefix inner;              // address and network
  Network* network = nullptr;  // where it is; null: on the internet
  uint64_t delay_us = 10'000;  // of the way to it
  uint16_t mtu = 1500;
  bool super_frames = false;
  fec::Settings fec;
  uint64_t rekey_records = 1 << 20;
  // What the name of its hub stands for, on a client; else that of the first.
  std::vector<Endpoint> hubs;
  // A client's hubs, instead of that one.
  std::vector<NamedHub> named_hubs;
  // Whose key a hub has that takes the place of another one; else a new one.
  std::optional<handshake::StaticKey> identity;
};

// A worker that nobody runs.
class SteppedWorker final : public WorkerThread {
 public:
  SteppedWorker(std::unique_ptr<Worker> worker, const uint64_t& now_us)
      : worker_(std::move(worker)), now_us_(now_us) {}

  // One turn of its loop.
  void Step();
  // When it has to be stepped next though nothing arrives.
  uint64_t NextDeadline() const;
  Worker& worker() { return *worker_; }

  bool Start(std::string&) override { return true; }
  bool Watch(const Port&, std::string&) override { return true; }
  void Unwatch(const Port&) override {}
  void Stop() override {}
  Mailbox& mailbox() override { return *worker_->mailbox; }
  const WorkerCounters& counters() const override { return worker_->counters; }
  const LaneCounters& lane_counters(LaneIndex lane) const override {
    return worker_->lane_counters[lane.value];
  }
  const std::vector<int>& cpus() const override {
    return worker_->options.cpus;
  }

 private:
  const std::unique_ptr<Worker> worker_;
  const uint64_t& now_us_;
};

class Gateway : public Host,
                protected peer::ClientHost,
                protected peer::WorkerInbox::Sink {
 public:
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway() override;

  // Does all that is due until nothing moves. False when that takes for ever.
  bool Turn();
  uint64_t NextDeadline() const;

  void Arrive(Frame frame) override;
  // An inner packet from this host, and those that came for it.
  void SendInside(Bytes packet) { tunnel_.Arrive({std::move(packet), false}); }
  std::vector<Bytes> TakeInside() { return std::exchange(inside_, {}); }

  // Says goodbye; nothing is begun any more.
  virtual void Close() = 0;
  // What is still there of flows and lanes; empty when nothing is.
  std::string Leftovers();
  // Its flows and what it dropped, for who has to find out what went wrong.
  std::string Describe();
  // Ports held for flows of its own.
  size_t ports_held() const { return locals_.size(); }

  // All its outer addresses.
  std::vector<Endpoint> Outers() const;
  const GatewayOptions& options() const { return options_; }
  Worker& worker() { return stepped().worker(); }
  const handshake::StaticKey& identity() const { return identity_; }

 protected:
  Gateway(Surroundings& around, const GatewayOptions& options,
          uint32_t max_lanes);

  virtual void RunTimers() = 0;
  virtual uint64_t SessionDeadline() const = 0;
  virtual void Answer(const std::string& name) {}
  uint64_t now() const { return around_.now_us; }

  Surroundings& around_;
  const GatewayOptions options_;
  handshake::KeyRing keys_;
  handshake::StaticKey identity_;

  // peer::WorkerInbox::Sink
  void OnEvent(WorkerIndex from, const Event& event) override {
    road_.owners.OnEvent(from, event, now());
  }
  void OnStream(const PuntedStream& stream) override {
    road_.owners.OnStream(stream, now());
  }
  void OnRecord(WorkerIndex from, const PuntedRecord& record) override {
    road_.owners.OnRecord(from, record, now());
  }

  // peer::ClientHost
  // None of a world's asks for a lease.
  void SetTunnelAddresses(const std::vector<IpPrefix>&) override {}
  uint64_t UnixMs() override { return 1'750'000'000'000 + now() / 1000; }
  void FollowNextHop(FlowId flow, const peer::FlowWay& way) override;
  void ForgetNextHop(FlowId flow) override;
  void SuspectPath(const IpAddress&) override {}
  void SetInnerMtu(uint16_t) override {}
  uint16_t MaxInnerMtu(const Endpoint& remote) override;
  void Resolve(const std::string& name, uint16_t) override { asked_ = name; }
  absl::StatusOr<Endpoint> OpenLocal(const Endpoint& remote,
                                     const peer::PortWish& wish) override;
  void CloseLocal(const Endpoint& local) override;
  std::optional<wire::LinkHeader> LinkTo(const IpAddress& remote) override;
  std::string LinkProblem(const IpAddress&) override { return "none"; }

 private:
  SteppedWorker& stepped() {
    return static_cast<SteppedWorker&>(*workers_.front());
  }
  void Drain();

  Network& network_;
  WirePort uplink_;
  WirePort tunnel_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;

 protected:
  peer::MailboxLink link_;
  peer::WorkerRoad road_;

 private:
  peer::WorkerInbox inbox_;
  std::vector<Bytes> inside_;
  std::vector<Endpoint> locals_;
  std::vector<FlowId> followed_;
  uint16_t next_port_;
  std::optional<std::string> asked_;  // a name that has no answer yet
};

class ClientGateway final : public Gateway {
 public:
  // `options` have hubs.
  ClientGateway(Surroundings& around, const GatewayOptions& options);
  ~ClientGateway() override;

  void Close() override;
  bool up() const { return session_ != nullptr && session_->state() == "up"; }
  const peer::ClientSession* session() const { return session_.get(); }
  // The names that it asked for, and when.
  struct Question {
    uint64_t when_us;
    std::string name;
  };
  const std::vector<Question>& questions() const { return questions_; }
  // Other addresses of a name from now on.
  void Rename(const std::string& name, std::vector<Endpoint> endpoints) {
    names_[name] = std::move(endpoints);
  }

 private:
  void RunTimers() override;
  uint64_t SessionDeadline() const override;
  void Answer(const std::string& name) override;

  std::map<std::string, std::vector<Endpoint>> names_;
  std::vector<Question> questions_;
  std::unique_ptr<peer::ClientSession> session_;
};

class HubGateway final : public Gateway {
 public:
  HubGateway(Surroundings& around, const GatewayOptions& options,
             uint32_t max_clients);
  ~HubGateway() override;

  void Close() override;
  size_t clients() const;

 private:
  void RunTimers() override;
  uint64_t SessionDeadline() const override;

  std::unique_ptr<peer::HubSessions> sessions_;
};

}  // namespace lwt::world
