// Who answers STUN requests at a hub, without a socket: what is said to a
// datagram, and from where.
//
// Members of the network prove themselves, and whoever cannot is met with
// silence, as by a port where nothing listens behind a firewall that drops. An
// open server answers everybody. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/handshake/key_ring.h"
#include "control/handshake/rate_limit.h"
#include "control/nat/stun.h"

namespace lwt::nat {

class StunServer {
 public:
  // Of one source network: who forges a source gets its victim no more.
  static constexpr handshake::Rate kPerNetwork{200, 400};

  struct Config {
    const handshake::KeyRing& keys;  // of the network
    bool open = false;               // to everybody
  };
  // Where a request came to, and what else there is to answer from.
  struct Place {
    Endpoint local;
    std::optional<uint16_t> other_port;     // of this address
    std::optional<Endpoint> other_address;  // with its own other port
  };
  struct Answer {
    Endpoint from;
    handshake::ByteVector bytes;
  };

  explicit StunServer(const Config& config)
      : config_(config), limit_({.rate = kPerNetwork}) {}

  std::optional<Answer> OnDatagram(const Place& place, const Endpoint& source,
                                   handshake::ByteSpan bytes, uint64_t now_us);

 private:
  // The key that the request is proven by.
  std::optional<handshake::SecretKey> KeyOf(const StunMessage& request,
                                            handshake::ByteSpan bytes) const;

  const Config config_;
  handshake::RateLimit limit_;
};

}  // namespace lwt::nat
