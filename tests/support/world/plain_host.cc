#include "tests/support/world/plain_host.h"

#include <algorithm>
#include <array>
#include <utility>

#include "drivers/check.h"

namespace lwt::world {

PlainHost::PlainHost(Network& network, std::vector<IpAddress> addresses,
                     uint64_t delay_us)
    : network_(network), addresses_(std::move(addresses)) {
  for (const IpAddress& address : addresses_) {
    network_.Attach(address, this, delay_us);
  }
}

PlainHost::~PlainHost() {
  for (const IpAddress& address : addresses_) network_.Detach(address);
}

const PlainHost::Connection* PlainHost::Find(const Endpoint& local,
                                             const Endpoint& remote) const {
  const auto at = std::find_if(connections_.begin(), connections_.end(),
                               [&](const Connection& connection) {
                                 return connection.local == local &&
                                        connection.remote == remote;
                               });
  return at == connections_.end() ? nullptr : &*at;
}

PlainHost::Connection* PlainHost::Known(const Endpoint& local,
                                        const Endpoint& remote) {
  return const_cast<Connection*>(Find(local, remote));
}

PlainHost::Connection& PlainHost::Open(const Endpoint& local,
                                       const Endpoint& remote) {
  Connection connection;
  connection.local = local;
  connection.remote = remote;
  connection.next_out = kFirst + 1;
  return connections_.emplace_back(connection);
}

void PlainHost::Emit(const Connection& connection, uint32_t seq, uint8_t flags,
                     uint8_t ttl, std::span<const uint8_t> payload) {
  TcpSegment segment;
  segment.source = connection.local;
  segment.destination = connection.remote;
  segment.seq = seq;
  segment.flags = flags;
  if (segment.Has(wire::kAck)) segment.ack = connection.next_in;
  network_.Send({FrameOf(segment, ttl, payload), false});
}

void PlainHost::Call(const Endpoint& local, const Endpoint& remote,
                     uint8_t ttl) {
  const Connection* connection = Find(local, remote);
  if (connection == nullptr) connection = &Open(local, remote);
  if (connection->state == State::kSynSent) {
    Emit(*connection, kFirst, wire::kSyn, ttl);
  }
}

void PlainHost::Say(const Endpoint& local, const Endpoint& remote) {
  Connection* const connection = Known(local, remote);
  LWT_CHECK(connection != nullptr, "there is a connection to speak on");
  constexpr std::array<uint8_t, 100> kWords{};
  Emit(*connection, connection->next_out, wire::kAck | wire::kPsh, 64, kWords);
  connection->next_out += kWords.size();
}

void PlainHost::Send(const Endpoint& local, const Endpoint& remote,
                     uint8_t flags, uint8_t ttl) {
  Connection connection;
  const Connection* const known = Find(local, remote);
  if (known != nullptr) {
    connection = *known;
  } else {
    connection.local = local;
    connection.remote = remote;
  }
  Emit(connection, connection.next_out, flags, ttl);
}

void PlainHost::Arrive(Frame frame) {
  const auto segment = SegmentOf(frame.bytes);
  if (!segment) return;
  arrived_.push_back(*segment);
  Connection* connection = Known(segment->destination, segment->source);
  if (connection == nullptr) {
    if (!segment->Begins() || !listens_.contains(segment->destination.port)) {
      return;
    }
    connection = &Open(segment->destination, segment->source);
  }
  Answer(*connection, *segment);
}

// RFC 9293 §3.10.7.3 and §3.10.7.4, for a path that loses nothing.
void PlainHost::Answer(Connection& connection, const TcpSegment& segment) {
  const bool acked =
      segment.Has(wire::kAck) && segment.ack == connection.next_out;
  if (segment.Has(wire::kRst)) {
    if (acked || segment.seq == connection.next_in) {
      connection.state = State::kReset;
    }
    return;
  }
  if (connection.state == State::kReset) return;
  if (segment.Has(wire::kSyn)) {
    connection.next_in = segment.seq + 1;
    if (acked) {
      connection.state = State::kOpen;
      Emit(connection, connection.next_out, wire::kAck);
    } else if (connection.state != State::kOpen) {
      connection.state = State::kSynReceived;
      Emit(connection, kFirst, wire::kSyn | wire::kAck);
    }
    return;
  }
  if (acked && connection.state == State::kSynReceived) {
    connection.state = State::kOpen;
  }
  if (segment.seq != connection.next_in) return;
  connection.next_in += segment.length();
  connection.heard |= segment.payload_size != 0;
}

}  // namespace lwt::world
