// Control messages, the channel that carries them, and re-keying behind it.
#include <cstdlib>

#include "control/handshake/control_channel.h"
#include "control/handshake/rekey.h"
#include "tests/unit/control/handshake/give_rekey.h"

namespace lwt::handshake {
namespace {

KeyPair SomeRoots() {
  KeyPair roots;
  roots.from_initiator.bytes()[0] = 1;
  return roots;
}

void ParseOne(ByteSpan bytes) {
  if (const auto inner = ParseControlRecord(bytes)) {
    const ByteVector again =
        BuildControlRecord(*inner, bytes.size() - inner->size() - 2);
    if (again.size() != bytes.size()) std::abort();
  }
  const auto message = ParseControlMessage(bytes);
  if (!message) return;
  const ByteVector again = BuildControlMessage(*message);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) {
    std::abort();
  }
  // Whatever its type says: a parser sees what a peer has put there.
  ControlMessages::ForEach([&]<typename M>() {
    const std::optional<M> read = M::Parse(message->body);
    if (!read) return;
    const ByteVector body = read->Build();
    const std::optional<M> second = M::Parse(body);
    if (!second || second->Build() != body) std::abort();
  });
}

// Messages of the length that a byte gives, one after the other.
void RunSession(RekeyRole role, ByteSpan bytes) {
  ControlChannel channel;
  Rekey rekey(role, {.max_records = 4}, SomeRoots(), 0);
  std::vector<RekeyAction> actions;
  uint64_t now_us = 0;
  ByteReader reader(bytes);
  ByteSpan piece;
  while (reader.Vector8(&piece)) {
    now_us += 1'000'000;
    std::vector<ControlMessage> delivered;
    channel.Receive(piece, &delivered);
    for (const ControlMessage& message : delivered) {
      GiveRekey(rekey, message, now_us, &actions);
    }
    rekey.Tick(now_us, piece.size(), &actions);
    for (RekeyAction& action : actions) {
      if (action.kind == RekeyAction::Kind::kSend) {
        channel.Send(action.type, std::move(action.body));
      }
    }
    actions.clear();
    while (channel.Poll(now_us)) {
    }
    if (channel.NextDeadline() <= now_us) std::abort();
    if (rekey.OpenEpochs().size() > Rekey::kOpenEpochs ||
        rekey.Roots(rekey.send_epoch()) == nullptr) {
      std::abort();
    }
  }
}

}  // namespace
}  // namespace lwt::handshake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::handshake;
  if (size < 1 || !InitCrypto()) return 0;
  const ByteSpan input(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      ParseOne(input);
      break;
    case 1:
      RunSession(RekeyRole::kResponder, input);
      break;
    default:
      RunSession(RekeyRole::kInitiator, input);
  }
  return 0;
}
