#include "control/session/message_table.h"

#include <algorithm>

#include "control/session/session.h"
#include "drivers/check.h"

namespace lwt::peer {
namespace {

template <handshake::ControlBody M>
void AddRekey(MessageTable& table) {
  table.Add<M>("the peer broke the protocol of key renewal",
               [](Session& session, const M& message, uint64_t now_us) {
                 return session.TakeRekey(message, now_us);
               });
}

}  // namespace

const MessageTable::Handler* MessageTable::Find(
    handshake::ControlType type) const {
  const auto found = std::find_if(
      handlers_.begin(), handlers_.end(),
      [&](const Handler& handler) { return handler.type == type; });
  return found == handlers_.end() ? nullptr : &*found;
}

void MessageTable::Put(Handler handler) {
  LWT_CHECK(Find(handler.type) == nullptr,
            "two take the same type of control message");
  handlers_.push_back(std::move(handler));
}

MessageTable CommonMessages() {
  MessageTable table;
  AddRekey<handshake::RekeyRequest>(table);
  AddRekey<handshake::RekeyOffer>(table);
  AddRekey<handshake::RekeyAnswer>(table);
  AddRekey<handshake::RekeyDone>(table);
  table.Add<handshake::Notice>(
      "",
      [](Session& session, const handshake::Notice& notice, uint64_t now_us) {
        session.TakeNotice(notice, now_us);
        return true;
      });
  table.Add<handshake::MtuMessage>(
      "the peer told an MTU that no path has",
      [](Session& session, const handshake::MtuMessage& message, uint64_t) {
        return session.TakeMtu(message.mtu);
      });
  table.Add<handshake::About>(
      "", [](Session& session, const handshake::About& about, uint64_t) {
        session.TakeAbout(about);
        return true;
      });
  return table;
}

}  // namespace lwt::peer
