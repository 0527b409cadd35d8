// What is done with each type of control message. A session looks the type of
// one that came up here; what is not here it does not understand, and says so.
//
// Made at start, one for all sessions of a gateway, which read it. Control
// thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/handshake/messages.h"

namespace lwt::peer {

class Session;

class MessageTable {
 public:
  // Takes a message that came on a session. False when it breaks the protocol.
  template <handshake::ControlBody M>
  using Take = std::function<bool(Session&, const M&, uint64_t now_us)>;

  struct Handler {
    handshake::ControlType type = handshake::ControlType::kAck;
    // With which words the session ends when the body cannot be read or the
    // protocol is broken; where empty, such a message is passed over.
    std::string breach;
    std::function<bool(Session&, handshake::ByteSpan body, uint64_t now_us)>
        take;
  };

  // Once for each type.
  template <handshake::ControlBody M>
  void Add(std::string_view breach, Take<M> take) {
    Put({M::kType, std::string(breach),
         [take = std::move(take)](Session& session, handshake::ByteSpan body,
                                  uint64_t now_us) {
           const std::optional<M> message = M::Parse(body);
           return message && take(session, *message, now_us);
         }});
  }

  // nullptr for a type that nobody takes.
  const Handler* Find(handshake::ControlType type) const;

 private:
  void Put(Handler handler);

  std::vector<Handler> handlers_;  // few
};

// What every session takes: re-keying, notices, and what the path takes.
MessageTable CommonMessages();

}  // namespace lwt::peer
