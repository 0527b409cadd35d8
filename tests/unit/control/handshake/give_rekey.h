// Gives a message to what Rekey has for its type, as a session's table does.
#pragma once

#include <optional>
#include <vector>

#include "control/handshake/rekey.h"

namespace lwt::handshake {

// False when it is none of re-keying's or breaks its protocol.
inline bool GiveRekey(Rekey& rekey, const ControlMessage& message,
                      uint64_t now_us, std::vector<RekeyAction>* actions) {
  bool good = false;
  ControlMessages::ForEach([&]<typename M>() {
    if constexpr (requires(const M& body) {
                    rekey.Receive(body, now_us, actions);
                  }) {
      if (message.type != M::kType) return;
      const std::optional<M> body = M::Parse(message.body);
      good = body && rekey.Receive(*body, now_us, actions);
    }
  });
  return good;
}

}  // namespace lwt::handshake
