// The hubs of a client, and whose turn it is: each has one in a round, the hub
// that the last session was with first, then the others in their order.
//
// Plain state without IO. Owned by ClientSession. Control thread.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/config.h"
#include "control/handshake/static_key.h"

namespace lwt::peer {

struct HubTarget {
  config::HostPort address;
  // The only key that it may show; nullopt: any, until it has shown one.
  std::optional<handshake::PublicKey> key;
  handshake::PinnedBy pinned_by = handshake::PinnedBy::kFirstContact;

  // "vpn.example.com:9000"
  std::string Name() const;
  friend bool operator==(const HubTarget&, const HubTarget&) = default;
};

class HubRound {
 public:
  // At least one, no address twice.
  explicit HubRound(std::vector<HubTarget> hubs);

  // Other hubs, from the next round on. False where they are the same.
  bool SetHubs(std::vector<HubTarget> hubs);

  // A new round, of the hubs as they are now.
  void Begin();
  // The hub in turn will not do, and the next one is in turn; false after the
  // last one.
  bool Next(std::string_view why);
  const HubTarget& hub() const { return hub_; }
  // The hub in turn has a session with us and showed this key: the only one of
  // its from now on.
  void OnSession(const handshake::PublicKey& key);
  // The hub in turn is the one that the last session was with.
  bool InUse() const { return used_ && SameHub(hub_, *used_); }

  // That the last session was with.
  const std::optional<HubTarget>& used() const { return used_; }
  // Why those before will not do that had their turn in this round. With one
  // hub it is the reason alone, else "a.example:9000: WHY; b.example:9000:
  // WHY".
  const std::string& failures() const { return failures_; }
  bool several() const { return several_; }
  // The key of the hub of which the first contact decides, once there was one.
  std::optional<handshake::PublicKey> FirstContactKey() const;

 private:
  // A session with `used` may be joined at `hub`.
  static bool SameHub(const HubTarget& hub, const HubTarget& used) {
    return hub.address == used.address && (!hub.key || hub.key == used.key);
  }

  std::vector<HubTarget> hubs_;
  HubTarget hub_;               // in turn, as it was when the round began
  std::deque<HubTarget> rest_;  // of the round
  bool several_ = false;
  std::optional<HubTarget> used_;
  std::string failures_;
};

}  // namespace lwt::peer
