// Session: how large an inner packet may be, by what its lanes' flows find that
// the path takes, and by what the peer finds of the way back.
#include <algorithm>

#include "control/session/session.h"
#include "dataplane/wire/record.h"

namespace lwt::peer {
namespace {

// What a segment's payload has beside the one inner packet in it.
constexpr uint64_t kOverhead = wire::kRecordOverhead + wire::kShardWord;

}  // namespace

void Session::FollowPath(uint64_t now_us) {
  uint64_t mtu = secrets_.mtu;
  for (const SessionLane* lane : SendingLanes()) {
    const uint64_t payload = ReadingOf(*lane).segment_payload;
    if (payload > kOverhead) mtu = std::min(mtu, payload - kOverhead);
  }
  const uint16_t before = inner_mtu();
  // Where less is left, a record leaves in parts.
  own_mtu_ = std::max(static_cast<uint16_t>(mtu), handshake::kLeastInnerMtu);
  SettleMtu(before);
  TellPath(now_us);
  TellAbout();
}

bool Session::TakeMtu(uint16_t mtu) {
  const uint16_t before = inner_mtu();
  peer_mtu_ = std::min(mtu, secrets_.mtu);
  SettleMtu(before);
  return true;
}

void Session::SettleMtu(uint16_t before) {
  if (inner_mtu() == before) return;
  context_.road.peers.LanesChanged(peer_);
  context_.log.Tell(loop::LogLevel::kInfo, loop::Cause::Peer(name_),
                    loop::EventKind::kPath, name_, ": inner MTU ", inner_mtu(),
                    ", by what the path takes");
}

void Session::TellPath(uint64_t now_us) {
  if (own_mtu_ == told_mtu_) return;
  if (now_us < next_tell_us_) return owner_.OnSessionDue();
  told_mtu_ = own_mtu_;
  next_tell_us_ = now_us + kTellUs;
  Send(handshake::MtuMessage{own_mtu_});
}

// Once, with the first look at the path.
void Session::TellAbout() {
  if (told_about_ || context_.version.empty()) return;
  told_about_ = true;
  Send(
      handshake::About{std::string(context_.version), handshake::kOwnFeatures});
}

}  // namespace lwt::peer
