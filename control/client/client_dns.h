// Which name servers a client's host is to ask: those that the hub names, where
// the settings take them (docs/networks.md, "DNS").
//
// While no hub answers they would be behind a dead tunnel, and the hub's own
// name with them: then the host asks as without the tunnel, unless all its
// traffic is kept from going beside it. Sans-IO. Owned by ClientSession.
// Control thread.
#pragma once

#include <utility>

#include "control/handshake/messages.h"

namespace lwt::peer {

class ClientDns {
 public:
  explicit ClientDns(bool accept) : accept_(accept) {}

  void Apply(bool accept) { accept_ = accept; }
  // The hub names these from now on. Those that are no host's, and more than
  // one of the same, are left out.
  void OnMessage(const handshake::DnsMessage& message);
  // A session with a hub that cannot name any begins.
  void OnNoneTold() { offered_ = {}; }
  // A hub answered; none of them does. `kept`: nothing goes beside the tunnel
  // meanwhile.
  void OnUp() { up_ = true; }
  void OnDown() { up_ = false; }

  // What the host is to go by now.
  handshake::DnsMessage Wanted(bool kept) const {
    const bool reached = up_ || kept;
    return accept_ && reached ? offered_ : handshake::DnsMessage();
  }
  const handshake::DnsMessage& offered() const { return offered_; }
  bool accepts() const { return accept_; }

 private:
  bool accept_;
  bool up_ = false;
  handshake::DnsMessage offered_;
};

}  // namespace lwt::peer
