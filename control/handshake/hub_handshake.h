// The hub's half of a handshake.
//
// HubDoor looks at the first bytes of an unproven flow: no allocation, no DH,
// no change of state unless they prove the shared key. HubHandshake carries on
// from there. Control thread.
#pragma once

#include <optional>

#include "control/handshake/key_ring.h"
#include "control/handshake/noise.h"
#include "control/handshake/replay_cache.h"
#include "control/handshake/session_secrets.h"
#include "control/handshake/static_key.h"
#include "control/handshake/tls_shape.h"

namespace lwt::handshake {

// `keys` and `identity` must outlive door and handshakes; `keys` may change.
struct HubConfig {
  const KeyRing* keys = nullptr;
  const StaticKey* identity = nullptr;
  PeerOffer offer;  // the hub's own addresses and MTU
  size_t replay_capacity = 65536;
  RandomSource random = RandomBytes;
};

enum class HubProgress : uint8_t {
  kReading,
  kAwaitVerdict,  // the client is proven: look at peer_key() and peer()
  kDone,
  kFailed,  // send the output (an alert), then FIN
};

// One object per proven flow; costs four X25519 (0.3 ms). The caller bounds its
// life (10 s).
class HubHandshake {
 public:
  // Writes ServerHello, ChangeCipherSpec and message 2, which offers the
  // configured MTU or `path_mtu`, whichever is less. Once, before Feed().
  HubProgress Start(ByteVector* output, uint16_t path_mtu = UINT16_MAX);
  // Takes the bytes behind the ClientHello, in order.
  HubProgress Feed(ByteSpan bytes, ByteVector* output);

  // The client has not yet the shared key that counts, but one before.
  bool old_key() const { return old_key_; }
  // It has the one to follow, or where none is, the one that counts.
  bool newest_key() const { return newest_key_; }

  // After kAwaitVerdict.
  const PublicKey& peer_key() const { return noise_.remote_static(); }
  const PeerOffer& peer() const { return client_.offer; }

  // The decision. Appends the verdict's record; the session exists (kDone) when
  // it accepts, which a client that has no tunnel address is with a lease only;
  // else send, then FIN. Call once, in kAwaitVerdict; a peer of
  // another version must be refused with kVersion.
  HubProgress Finish(const Verdict& verdict, ByteVector* output);

  // After kDone, once.
  SessionSecrets TakeSession() { return std::move(*session_); }
  // After kAwaitVerdict: bytes fed behind message 3.
  ByteSpan leftover() const { return reader_.pending(); }

 private:
  friend class HubDoor;
  enum class State : uint8_t {
    kStart,
    kChangeCipherSpec,
    kMessage3,
    kAwaitVerdict,
    kDone,
    kFailed
  };

  HubHandshake(const HubConfig& config, const NoiseHandshake& noise,
               const HelloFields& hello, bool old_key, bool newest_key);
  void OnRecord(const TlsRecord& record);
  bool OnMessage3(ByteSpan body);
  HubProgress Fail(ByteVector* output);

  const HubConfig* config_;
  NoiseHandshake noise_;
  HelloFields hello_;
  TlsReader reader_;
  bool old_key_;
  bool newest_key_;
  State state_ = State::kStart;
  HubPayload mine_;
  ClientPayload client_;
  std::optional<SessionSecrets> session_;
};

enum class FirstFlightKind : uint8_t {
  kIncomplete,  // a ClientHello so far; wait for more
  kUnproven,  // not proven, or not tried: alert and FIN, except for a lane join
  kReplay,    // key good, message seen before: alert and FIN
  kClockOff,  // key good, clock off by more than 10 min: log, alert and FIN
  kTooMany,   // key good, one more than the keeper lets in: alert and FIN
  kProven,    // `handshake` is there
};

struct FirstFlight {
  FirstFlightKind kind = FirstFlightKind::kUnproven;
  // Set when a well-formed ClientHello was read; a kUnproven one may be a lane
  // join (lane_join.h).
  std::optional<HelloFields> hello;
  size_t hello_size = 0;     // bytes of the stream that the hello took
  int64_t clock_off_ms = 0;  // client's clock minus ours, with the key good
  bool old_key = false;      // the good one is one before
  bool newest_key = false;   // … is the newest of the ring
  std::optional<HubHandshake> handshake;
};

// Bounds what the door spends, and is asked before it costs.
class DoorKeeper {
 public:
  virtual ~DoorKeeper() = default;
  // Whether a whole hello may be tried by a key, or by one more.
  virtual bool MayTry() = 0;
  // Whether one that proved a key may go on. Once a hello.
  virtual bool MayEnter(bool old_key) = 0;
};

class HubDoor {
 public:
  explicit HubDoor(const HubConfig& config);

  // `bytes` is all that the flow has brought so far, from its first byte; at
  // most kMaxClientHello are looked at.
  FirstFlight Inspect(ByteSpan bytes, uint64_t unix_ms, DoorKeeper& keeper);

  const HubConfig& config() const { return config_; }
  // What handshakes offer from now on.
  void SetOfferedMtu(uint16_t mtu) { config_.offer.mtu = mtu; }

 private:
  static constexpr int64_t kMaxClockOffMs = 10 * 60 * 1000;

  void Try(FirstFlight& flight, uint64_t unix_ms, DoorKeeper& keeper);
  void Judge(FirstFlight& flight, const NoiseHandshake& noise, ByteSpan tag,
             uint64_t unix_ms, DoorKeeper& keeper);

  HubConfig config_;
  ReplayCache replay_cache_;
};

}  // namespace lwt::handshake
