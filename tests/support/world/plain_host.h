// A host that speaks plain TCP by hand, no more of it than it takes to open a
// connection from either side or from both at once (RFC 9293 §3.5) and to say
// something on it: what a NAT is asked with, and a hole punched. It does
// nothing by itself but answer; it never sends a RST unasked.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "tests/support/world/network.h"
#include "tests/support/world/tcp_frame.h"

namespace lwt::world {

class PlainHost final : public Host {
 public:
  enum class State : uint8_t { kSynSent, kSynReceived, kOpen, kReset };
  struct Connection {
    Endpoint local;
    Endpoint remote;
    State state = State::kSynSent;
    uint32_t next_in = 0;  // sequence numbers
    uint32_t next_out = 0;
    bool heard = false;  // payload has come
  };

  PlainHost(Network& network, std::vector<IpAddress> addresses,
            uint64_t delay_us = 10'000);
  PlainHost(const PlainHost&) = delete;
  PlainHost& operator=(const PlainHost&) = delete;
  ~PlainHost() override;

  // Calls to this port are answered, at each address.
  void Listen(uint16_t port) { listens_.insert(port); }
  // A SYN, the same one when it is called again before an answer.
  void Call(const Endpoint& local, const Endpoint& remote, uint8_t ttl = 64);
  // On a connection that is there.
  void Say(const Endpoint& local, const Endpoint& remote);
  // Any segment, whatever there is of connections.
  void Send(const Endpoint& local, const Endpoint& remote, uint8_t flags,
            uint8_t ttl = 64);

  // Null where there is none.
  const Connection* Find(const Endpoint& local, const Endpoint& remote) const;
  const std::vector<Connection>& connections() const { return connections_; }
  // What came since it was last asked.
  std::vector<TcpSegment> Take() { return std::exchange(arrived_, {}); }

  void Arrive(Frame frame) override;

 private:
  static constexpr uint32_t kFirst = 1000;  // sequence number

  Connection* Known(const Endpoint& local, const Endpoint& remote);
  Connection& Open(const Endpoint& local, const Endpoint& remote);
  void Answer(Connection& connection, const TcpSegment& segment);
  void Emit(const Connection& connection, uint32_t seq, uint8_t flags,
            uint8_t ttl = 64, std::span<const uint8_t> payload = {});

  Network& network_;
  const std::vector<IpAddress> addresses_;
  std::set<uint16_t> listens_;
  std::vector<Connection> connections_;
  std::vector<TcpSegment> arrived_;
};

}  // namespace lwt::world
