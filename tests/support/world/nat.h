// A NAT, a firewall or a plain router between two networks of a fake world, for
// TCP: mapping, filtering, choice of ports, hairpinning and timeouts in the
// words of RFC 4787, RFC 5382 and RFC 7857, in fake time.
//
// A mapping ties an endpoint inside to one outside. It lives as long as one of
// its sessions, each of which is a connection with a remote endpoint: begun by
// a SYN, open once both sides have sent one, closing after a FIN of both.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "tests/support/world/network.h"
#include "tests/support/world/tcp_frame.h"

namespace lwt::world {

// Of what of the remote endpoint a mapping or a filter depends (RFC 4787 §4.1
// and §5).
enum class Dependence : uint8_t { kNone, kAddress, kAddressAndPort };

// The outside port of a new mapping (RFC 4787 §4.2): the inside one where it is
// free, the one behind the port taken last, or any. No two mappings share one
// (RFC 5382 REQ-7).
enum class PortChoice : uint8_t { kPreserve, kNext, kRandom };

// What an unsolicited segment from outside is answered with: nothing, or a RST.
enum class Unsolicited : uint8_t { kDrop, kReset };

struct NatTimeouts {
  static constexpr uint64_t kMinute = 60'000'000;
  // RFC 5382 REQ-5: 4 minutes for a partly open or closing connection, 2 hours
  // and 4 minutes for an open one that is idle, at least.
  uint64_t opening_us = 4 * kMinute;
  uint64_t open_us = 124 * kMinute;
  uint64_t closing_us = 4 * kMinute;
  // RFC 7857 §2.2: 4 minutes after a RST, if nothing else comes. Zero: at once,
  // as Linux does where a RST is the answer to a SYN.
  uint64_t reset_us = 4 * kMinute;
  uint64_t refused_us = 4 * kMinute;
};

struct NatBehaviour {
  bool translates = true;  // otherwise it only filters
  Dependence mapping = Dependence::kNone;
  Dependence filtering = Dependence::kAddressAndPort;
  PortChoice ports = PortChoice::kPreserve;
  uint16_t first_port = 1024;
  uint16_t last_port = 65'535;
  bool hairpins = false;  // RFC 5382 REQ-8
  Unsolicited unsolicited = Unsolicited::kDrop;
  // A session begins by any segment that it would begin by if it was a SYN.
  bool picks_up = false;
  NatTimeouts timeouts;
};

class Nat {
 public:
  struct Place {
    Network& outside;
    Network& inside;
    IpAddress address;  // outside
    IpPrefix
        inside_hosts;  // of the same family; routed to where not translated
    uint64_t delay_us = 0;  // of the way to it, outside
    uint64_t seed = 1;      // of its ports
  };

  Nat(const uint64_t& now_us, const Place& place,
      const NatBehaviour& behaviour);
  Nat(const Nat&) = delete;
  Nat& operator=(const Nat&) = delete;
  ~Nat();

  // For good: `port` outside leads to `to`, whoever asks, and the other way
  // round.
  void Forward(uint16_t port, const Endpoint& to);
  // All mappings but those are forgotten.
  void Reboot();

  struct Tie {
    Endpoint inside;
    Endpoint outside;
    friend bool operator==(const Tie&, const Tie&) = default;
  };
  // The mappings of now.
  std::vector<Tie> Ties();

  const NatBehaviour& behaviour() const { return behaviour_; }
  const IpAddress& address() const { return place_.address; }
  // Segments from outside that it had not asked for; those from inside that
  // begin nothing, or for which no port was free.
  uint64_t unsolicited() const { return unsolicited_; }
  uint64_t refused() const { return refused_; }

 private:
  enum class State : uint8_t { kOpening, kOpen, kClosing, kReset };
  struct Session {
    Endpoint remote;
    State state = State::kOpening;
    // What was seen: from inside, from outside.
    bool syn[2] = {false, false};
    bool fin[2] = {false, false};
    bool spoken = false;  // by the host inside, which opens the filter
    uint64_t expires_us = 0;
  };
  struct Mapping {
    Endpoint inside;
    Endpoint outside;
    Endpoint toward;  // what `inside` was talking to when it was made
    bool permanent = false;
    std::vector<Session> sessions;
  };
  class Face final : public Host {
   public:
    using Handler = void (Nat::*)(Frame);
    Face(Nat& nat, Handler handler) : nat_(nat), handler_(handler) {}
    void Arrive(Frame frame) override { (nat_.*handler_)(std::move(frame)); }

   private:
    Nat& nat_;
    const Handler handler_;
  };

  void FromInside(Frame frame);
  void FromOutside(Frame frame);
  // A segment for `segment.destination`, an endpoint outside, which has this
  // many hops to spend if it goes on.
  void Inward(Frame frame, const TcpSegment& segment, uint8_t hops);
  void Refuse(const TcpSegment& segment);

  void Expire();
  Mapping* FindInside(const TcpSegment& segment);
  Mapping* FindOutside(const Endpoint& outside);
  Mapping* Map(const TcpSegment& segment);
  bool Begins(const TcpSegment& segment) const;
  bool Admits(const Mapping& mapping, const Endpoint& remote) const;
  // False when the segment belongs to no session and begins none.
  bool Track(Mapping& mapping, const Endpoint& remote,
             const TcpSegment& segment, bool outside);
  void Note(Session& session, const TcpSegment& segment, bool outside);
  bool IsFree(uint16_t port) const;
  // 0 when none is free.
  uint16_t ChoosePort(uint16_t wish);
  uint16_t FirstFreeFrom(uint16_t port) const;

  const uint64_t& now_us_;
  const Place place_;
  const NatBehaviour behaviour_;
  Face inside_{*this, &Nat::FromInside};
  Face outside_{*this, &Nat::FromOutside};
  std::vector<Mapping> mappings_;
  std::mt19937_64 random_;
  uint16_t last_taken_ = 0;
  uint64_t unsolicited_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace lwt::world
