// What a hub spends on first messages, and on whose.
//
// Whoever failed is charged, after the fact: a host, and its network. That
// keeps nobody out; it decides from which sum its next hello is tried. Trying
// one costs up to 45 µs, so the sums leave the control thread four fifths of
// its time under any flood. Who proved the shared key is counted for itself,
// since letting it in costs four X25519 (0.3 ms). Control thread.
#pragma once

#include "control/handshake/hub_handshake.h"
#include "control/handshake/rate_limit.h"

namespace lwt::handshake {

class DoorLimits {
 public:
  // Failures of a /24 or /56, and of one host in it. Beyond these its hellos
  // are tried from what is left over for such.
  static constexpr Rate kFailures{10, 40};
  // Tries of a key in a second: of hellos from hosts or networks that are below
  // that, and of those from others.
  static constexpr Rate kTries{2000, 1000};
  static constexpr Rate kTriesOfFailed{2000, 1000};
  // Proven hellos of a /24 or /48, and in sum. One site has a /48: with less,
  // whoever has the key would take the whole sum from all others.
  static constexpr Rate kProven{200, 400};
  static constexpr Rate kProvenInSum{1000, 2000};
  // In sum, of those by a key before: a leaked key is why one changes it.
  static constexpr Rate kProvenByOld{10, 20};

  // A hello, or what was no hello, of `source` came to nothing.
  void Failed(const IpAddress& source, uint64_t now_us) {
    networks_.Allow(source, now_us);
    hosts_.Allow(source, now_us);
  }
  // Bytes that do not begin: they are charged as a failure, and kept only of a
  // network that has few.
  bool MayWait(const IpAddress& source, uint64_t now_us) {
    hosts_.Allow(source, now_us);
    return networks_.Allow(source, now_us);
  }
  // For one hello, now.
  class Visit;

 private:
  bool MayTry(const IpAddress& source, uint64_t now_us) {
    const bool good =
        networks_.Has(source, now_us) || hosts_.Has(source, now_us);
    return good ? tries_.Take(kTries, now_us)
                : tries_of_failed_.Take(kTriesOfFailed, now_us);
  }
  bool MayEnter(const IpAddress& source, bool old_key, uint64_t now_us) {
    return (!old_key || proven_by_old_.Take(kProvenByOld, now_us)) &&
           proven_.Allow(source, now_us) &&
           proven_in_sum_.Take(kProvenInSum, now_us);
  }

  RateLimit networks_{{.rate = kFailures}};
  RateLimit hosts_{{.rate = kFailures, .ipv4_bits = 32, .ipv6_bits = 64}};
  RateLimit proven_{{.rate = kProven, .ipv6_bits = 48}};
  TokenBucket tries_{kTries};
  TokenBucket tries_of_failed_{kTriesOfFailed};
  TokenBucket proven_in_sum_{kProvenInSum};
  TokenBucket proven_by_old_{kProvenByOld};
};

class DoorLimits::Visit : public DoorKeeper {
 public:
  Visit(DoorLimits& limits, const IpAddress& source, uint64_t now_us)
      : limits_(limits), source_(source), now_us_(now_us) {}

  bool MayTry() override { return limits_.MayTry(source_, now_us_); }
  bool MayEnter(bool old_key) override {
    return limits_.MayEnter(source_, old_key, now_us_);
  }

 private:
  DoorLimits& limits_;
  const IpAddress& source_;
  const uint64_t now_us_;
};

}  // namespace lwt::handshake
