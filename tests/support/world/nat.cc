#include "tests/support/world/nat.h"

#include <algorithm>

#include "drivers/check.h"

namespace lwt::world {
namespace {

// Whether two remote endpoints are the same to something that depends so.
bool Alike(Dependence dependence, const Endpoint& a, const Endpoint& b) {
  switch (dependence) {
    case Dependence::kNone:
      return true;
    case Dependence::kAddress:
      return a.address == b.address;
    case Dependence::kAddressAndPort:
      return a == b;
  }
  return false;
}

}  // namespace

Nat::Nat(const uint64_t& now_us, const Place& place,
         const NatBehaviour& behaviour)
    : now_us_(now_us),
      place_(place),
      behaviour_(behaviour),
      random_(place.seed) {
  const Family family = place.inside_hosts.address.family;
  place_.inside.Attach(IpPrefix{IpAddress::Any(family), 0}, &inside_, 0);
  place_.outside.Attach(place_.address, &outside_, place_.delay_us);
  if (!behaviour_.translates) {
    place_.outside.Attach(place_.inside_hosts, &outside_, place_.delay_us);
  }
}

Nat::~Nat() {
  const Family family = place_.inside_hosts.address.family;
  place_.inside.Detach(IpPrefix{IpAddress::Any(family), 0});
  place_.outside.Detach(place_.address);
  if (!behaviour_.translates) place_.outside.Detach(place_.inside_hosts);
}

void Nat::Forward(uint16_t port, const Endpoint& to) {
  LWT_CHECK(behaviour_.translates && IsFree(port), "a port is forwarded once");
  Mapping mapping;
  mapping.inside = to;
  mapping.outside = {place_.address, port};
  mapping.permanent = true;
  mappings_.push_back(std::move(mapping));
}

void Nat::Reboot() {
  std::erase_if(mappings_,
                [](const Mapping& mapping) { return !mapping.permanent; });
  for (Mapping& mapping : mappings_) mapping.sessions.clear();
  last_taken_ = 0;
}

std::vector<Nat::Tie> Nat::Ties() {
  Expire();
  std::vector<Tie> ties;
  for (const Mapping& mapping : mappings_) {
    ties.push_back({mapping.inside, mapping.outside});
  }
  return ties;
}

void Nat::Expire() {
  for (Mapping& mapping : mappings_) {
    std::erase_if(mapping.sessions, [&](const Session& session) {
      return session.expires_us <= now_us_;
    });
  }
  std::erase_if(mappings_, [](const Mapping& mapping) {
    return !mapping.permanent && mapping.sessions.empty();
  });
}

void Nat::FromInside(Frame frame) {
  const auto segment = SegmentOf(frame.bytes);
  if (!segment || !TakeHops(frame.bytes, 1)) return;
  Expire();
  const bool back = segment->destination.address == place_.address;
  Mapping* mapping = FindInside(*segment);
  if (mapping == nullptr && Begins(*segment) &&
      (!back || behaviour_.hairpins)) {
    mapping = Map(*segment);
  }
  if (mapping == nullptr || (back && !behaviour_.hairpins) ||
      !Track(*mapping, segment->destination, *segment, false)) {
    ++refused_;
    Expire();  // what was made for it
    return;
  }
  if (behaviour_.translates) SetSource(frame.bytes, mapping->outside);
  if (!back) return place_.outside.Send(std::move(frame));
  // RFC 5382 REQ-8: the other host inside sees the endpoint outside.
  TcpSegment seen = *segment;
  seen.source = mapping->outside;
  Inward(std::move(frame), seen, 0);
}

void Nat::FromOutside(Frame frame) {
  const auto segment = SegmentOf(frame.bytes);
  if (!segment) return;
  Expire();
  // A router looks at the hops first. What is for its own address, and is not
  // to be translated, has arrived.
  if (!behaviour_.translates && !TakeHops(frame.bytes, 1)) return;
  Inward(std::move(frame), *segment, behaviour_.translates);
}

void Nat::Inward(Frame frame, const TcpSegment& segment, uint8_t hops) {
  Mapping* mapping = FindOutside(segment.destination);
  // A plain router keeps no account of who asked first.
  if (mapping == nullptr && !behaviour_.translates &&
      behaviour_.filtering == Dependence::kNone && Begins(segment)) {
    Mapping open;
    open.inside = open.outside = segment.destination;
    open.toward = segment.source;
    mapping = &mappings_.emplace_back(std::move(open));
  }
  if (mapping == nullptr || !Admits(*mapping, segment.source)) {
    return Refuse(segment);
  }
  if (!TakeHops(frame.bytes, hops)) return;
  if (!Track(*mapping, segment.source, segment, true)) return Refuse(segment);
  if (behaviour_.translates) SetDestination(frame.bytes, mapping->inside);
  place_.inside.Send(std::move(frame));
}

// As RFC 9293 §3.10.7.1 answers where there is no connection.
void Nat::Refuse(const TcpSegment& segment) {
  ++unsolicited_;
  if (behaviour_.unsolicited == Unsolicited::kDrop || segment.Has(wire::kRst)) {
    return;
  }
  TcpSegment reset;
  reset.source = segment.destination;
  reset.destination = segment.source;
  reset.flags = wire::kRst;
  if (segment.Has(wire::kAck)) {
    reset.seq = segment.ack;
  } else {
    reset.flags |= wire::kAck;
    reset.ack = segment.seq + segment.length();
  }
  place_.outside.Send({FrameOf(reset), false});
}

Nat::Mapping* Nat::FindInside(const TcpSegment& segment) {
  const auto at = std::find_if(
      mappings_.begin(), mappings_.end(), [&](const Mapping& mapping) {
        return mapping.inside == segment.source &&
               (mapping.permanent ||
                Alike(behaviour_.mapping, mapping.toward, segment.destination));
      });
  return at == mappings_.end() ? nullptr : &*at;
}

Nat::Mapping* Nat::FindOutside(const Endpoint& outside) {
  const auto at = std::find_if(
      mappings_.begin(), mappings_.end(),
      [&](const Mapping& mapping) { return mapping.outside == outside; });
  return at == mappings_.end() ? nullptr : &*at;
}

Nat::Mapping* Nat::Map(const TcpSegment& segment) {
  Mapping mapping;
  mapping.inside = segment.source;
  mapping.outside = segment.source;
  mapping.toward = segment.destination;
  if (behaviour_.translates) {
    const uint16_t port = ChoosePort(segment.source.port);
    if (port == 0) return nullptr;
    mapping.outside = {place_.address, port};
  }
  return &mappings_.emplace_back(std::move(mapping));
}

bool Nat::Begins(const TcpSegment& segment) const {
  return segment.Begins() || (behaviour_.picks_up && !segment.Has(wire::kRst));
}

bool Nat::Admits(const Mapping& mapping, const Endpoint& remote) const {
  if (mapping.permanent || behaviour_.filtering == Dependence::kNone) {
    return true;
  }
  return std::any_of(mapping.sessions.begin(), mapping.sessions.end(),
                     [&](const Session& session) {
                       return session.spoken && Alike(behaviour_.filtering,
                                                      session.remote, remote);
                     });
}

bool Nat::Track(Mapping& mapping, const Endpoint& remote,
                const TcpSegment& segment, bool outside) {
  auto at = std::find_if(
      mapping.sessions.begin(), mapping.sessions.end(),
      [&](const Session& session) { return session.remote == remote; });
  if (at == mapping.sessions.end()) {
    if (!Begins(segment)) return false;
    Session session;
    session.remote = remote;
    // In the middle of a connection whose SYNs it has not seen.
    session.syn[0] = session.syn[1] = !segment.Begins();
    at = mapping.sessions.insert(at, session);
  }
  Note(*at, segment, outside);
  return true;
}

// The states of RFC 6146 §3.5.2, which RFC 7857 §2 takes for NAT of IPv4.
void Nat::Note(Session& session, const TcpSegment& segment, bool outside) {
  const NatTimeouts& timeouts = behaviour_.timeouts;
  session.spoken |= !outside;
  if (segment.Has(wire::kRst)) {
    session.expires_us =
        now_us_ + (session.state == State::kOpening ? timeouts.refused_us
                                                    : timeouts.reset_us);
    session.state = State::kReset;
    return;
  }
  if (session.state == State::kClosing && !segment.Begins()) return;
  if (session.state == State::kClosing) {
    // The pair of endpoints is used again.
    session = {.remote = session.remote, .spoken = session.spoken};
  }
  session.syn[outside] |= segment.Has(wire::kSyn);
  session.fin[outside] |= segment.Has(wire::kFin);
  if (session.fin[0] && session.fin[1]) {
    session.state = State::kClosing;
    session.expires_us = now_us_ + timeouts.closing_us;
  } else if (session.syn[0] && session.syn[1]) {
    session.state = State::kOpen;
    session.expires_us = now_us_ + timeouts.open_us;
  } else {
    session.state = State::kOpening;
    session.expires_us = now_us_ + timeouts.opening_us;
  }
}

bool Nat::IsFree(uint16_t port) const {
  return std::none_of(
      mappings_.begin(), mappings_.end(),
      [&](const Mapping& mapping) { return mapping.outside.port == port; });
}

uint16_t Nat::FirstFreeFrom(uint16_t port) const {
  const uint32_t count = behaviour_.last_port - behaviour_.first_port + 1u;
  for (uint32_t i = 0; i < count; ++i) {
    const auto next = static_cast<uint16_t>(
        behaviour_.first_port +
        (uint32_t{port} - behaviour_.first_port + i) % count);
    if (IsFree(next)) return next;
  }
  return 0;
}

uint16_t Nat::ChoosePort(uint16_t wish) {
  const uint16_t first = behaviour_.first_port;
  const uint16_t last = behaviour_.last_port;
  switch (behaviour_.ports) {
    case PortChoice::kPreserve:
      return FirstFreeFrom(wish < first || wish > last ? first : wish);
    case PortChoice::kNext:
      last_taken_ = FirstFreeFrom(
          last_taken_ < first || last_taken_ >= last ? first : last_taken_ + 1);
      return last_taken_;
    case PortChoice::kRandom:
      return FirstFreeFrom(
          static_cast<uint16_t>(first + random_() % (last - first + 1u)));
  }
  return 0;
}

}  // namespace lwt::world
