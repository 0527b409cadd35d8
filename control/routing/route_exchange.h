// What two ends of a session tell each other about the networks behind them,
// the same for both (docs/protocol.md, "Routes"): our list to the peer and what
// it answered, the peer's list to us. What is accepted is its owner's business.
//
// Whatever a peer sends, its list is looked at once a second, the newest one;
// ours leaves as rarely. Sans-IO. Owned by ClientSession, and by each client of
// HubSessions. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/handshake/messages.h"
#include "drivers/ip_endpoint.h"

namespace lwt::routing {

class RouteExchange {
 public:
  static constexpr uint64_t kGapUs = 1'000'000;
  static constexpr uint64_t kNever = UINT64_MAX;

  // Both lists begin again with a new session, by the first of which each end
  // says what it has, also that it has nothing.
  explicit RouteExchange(bool understood = false) : understood_(understood) {}

  // What is to be told of us. How many of it fit.
  size_t Announce(std::vector<IpPrefix> networks);
  // The same once more, as a newer version, for a peer that lost it.
  void AnnounceAgain() { due_ = again_ = true; }
  // At NextDeadline(): the list to send, if it is to be.
  std::optional<handshake::RoutesMessage> TakeAnnouncement(uint64_t now_us);

  // A list came. One that is no newer than the last changes nothing.
  void OnRoutes(const handshake::RoutesMessage& message, uint64_t now_us);
  // At NextDeadline(): the list to be judged now.
  const handshake::RoutesMessage* TakeList(uint64_t now_us);
  // The answer to the list judged last: `codes` are of its networks, nullopt
  // those that were accepted.
  handshake::RoutesAnswer Judged(
      std::vector<std::optional<handshake::RouteCode>> codes);
  // The list judged last, and what came of it; of one that came again, what
  // came of it before, until it is judged.
  const handshake::RoutesMessage& list() const { return list_; }
  const std::vector<std::optional<handshake::RouteCode>>& codes() const {
    return codes_;
  }
  bool judged() const { return judged_; }

  // An answer came. True when it is of our last list, and says something else
  // than the one before.
  bool OnAnswer(const handshake::RoutesAnswer& answer);
  const std::vector<IpPrefix>& announced() const { return sent_; }
  // Why the peer does not take one of `announced`.
  std::optional<handshake::RouteCode> RefusedBy(size_t index) const;
  bool answered() const { return answered_; }

  uint64_t NextDeadline() const;

  // Lists that came, and those of them that a newer one overtook.
  uint64_t lists() const { return lists_; }
  uint64_t overtaken() const { return overtaken_; }

 private:
  bool understood_;
  // Ours.
  std::vector<IpPrefix> wanted_;
  std::vector<IpPrefix> sent_;
  uint32_t sent_version_ = 0;
  uint64_t send_at_us_ = 0;
  bool due_ = true;
  bool again_ = false;  // due though it is no other
  bool answered_ = false;
  std::map<uint8_t, handshake::RouteCode> refused_;
  // The peer's.
  std::optional<handshake::RoutesMessage> pending_;
  handshake::RoutesMessage list_;
  std::vector<std::optional<handshake::RouteCode>> codes_;
  bool judged_ = false;
  uint64_t take_at_us_ = 0;
  uint64_t lists_ = 0;
  uint64_t overtaken_ = 0;
};

}  // namespace lwt::routing
