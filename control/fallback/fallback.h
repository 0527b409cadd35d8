// The real service behind a hub's port: connections to it for probers who do
// not prove the key.
//
// Owns the sockets; the bytes and their limits are Relay's business. At most
// kMaxProbers at once, and kMaxOfNetwork of one source network. One more takes
// the place of another of the network that has the most: of the one that has
// been without progress longest, so that who is slow on purpose keeps nobody
// out. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "control/base/remote_log.h"
#include "control/fallback/relay.h"
#include "control/loop/event_loop.h"
#include "control/workers/flow_owners.h"
#include "drivers/ip_endpoint.h"
#include "drivers/scoped_fd.h"

namespace lwt {

class Fallback final : public peer::ProberDoor, public peer::FlowOwner {
 public:
  static constexpr size_t kMaxProbers = 256;
  // Of a /24 or /56.
  static constexpr size_t kMaxOfNetwork = 32;
  // Descriptors of the process that probers leave to others.
  static constexpr size_t kKeptDescriptors = 128;
  // Progress: so many bytes, either way. Who makes none for kIdleUs is let go:
  // as long as web servers wait, and a little more; after kStallUs already
  // where one side has something for the other.
  static constexpr uint64_t kProgressBytes = 512;
  static constexpr uint64_t kIdleUs = 120'000'000;
  static constexpr uint64_t kStallUs = 30'000'000;
  // The service has so long to accept a connection.
  static constexpr uint64_t kConnectUs = 10'000'000;

  Fallback(loop::EventLoop& loop, peer::WorkerLink& link,
           peer::FlowOwners& owners, const loop::Log& log);
  Fallback(const Fallback&) = delete;
  Fallback& operator=(const Fallback&) = delete;
  ~Fallback() override;

  // Where the service is, once its name is resolved; nobody is taken without.
  void SetService(const std::optional<Endpoint>& service) {
    service_ = service;
  }

  // Refuses while the service is unknown or cannot be reached.
  bool Take(FlowId flow, const Endpoint& remote,
            std::span<const PuntedStream> pieces, uint64_t now_us) override;
  // Of probers' flows, which it owns from Take on.
  void OnStream(const PuntedStream& stream, uint64_t now_us) override;
  void OnEvent(const Event& event, uint64_t now_us) override;
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const { return next_sweep_us_; }

  size_t probers() const { return probers_.size(); }
  bool Serves(FlowId flow) const { return Find(flow) != nullptr; }

 private:
  // The family and the first 24 or 56 bits of an address.
  using Network = std::array<uint8_t, 8>;

  struct Prober {
    ScopedFd socket;
    std::unique_ptr<peer::Relay> relay;
    Endpoint remote;
    uint64_t progress_us = 0;  // when kProgressBytes were last complete
    uint64_t moved = 0;        // bytes since
    uint32_t watched = 0;      // epoll events
    bool connected = false;
    bool told_end = false;  // the service knows that the prober is done
  };

  static Network NetworkOf(const IpAddress& address);
  Prober* Find(FlowId flow) const;
  size_t CountOf(const Network& network) const;
  // Lets one prober go who stands in the way of one more from `network`.
  void MakeRoom(const Network& network);
  Network GreediestNetwork() const;
  int Connect(const Network& network);
  void ServiceFailed(std::string_view why);
  bool CheckConnected(Prober& prober);
  bool IsStale(const Prober& prober) const;
  void Moved(Prober& prober, size_t bytes);
  void Pump(FlowId flow);
  bool PumpToService(Prober& prober);
  bool PumpFromService(Prober& prober);
  bool Rewatch(Prober& prober);
  void Remove(FlowId flow);

  loop::EventLoop& loop_;
  peer::WorkerLink& link_;
  peer::FlowOwners& owners_;
  loop::RemoteLog log_;
  const size_t max_probers_;
  std::optional<Endpoint> service_;
  std::vector<std::unique_ptr<Prober>> probers_;  // the oldest first
  uint64_t now_us_ = 0;
  uint64_t next_sweep_us_ = UINT64_MAX;
};

}  // namespace lwt
