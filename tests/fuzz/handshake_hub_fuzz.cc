// The hub's half of a handshake. The first byte chooses how far a true client
// has brought it before the rest of the input arrives.
#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

// A hub that has answered a true ClientHello, and the client's true answer.
struct Started {
  Started() {
    FirstFlight first = x.Inspect(x.client->Start(kNow), kNow);
    ByteVector flight;
    first.handshake->Start(&flight);
    x.client->Feed(flight, kNow, &third);
    hub.emplace(*first.handshake);
  }
  Exchange x;
  ByteVector third;
  std::optional<HubHandshake> hub;
};

void FeedHub(ByteSpan bytes) {
  static const Started started;
  HubHandshake hub = *started.hub;
  ByteVector out;
  if (hub.Feed(bytes, &out) == HubProgress::kAwaitVerdict) {
    if (hub.peer_key() != started.x.client_key.public_key) __builtin_trap();
    hub.Finish({}, &out);
  }
}

// The input is laid over the true bytes from an offset on.
void FeedChanged(ByteSpan input) {
  static const Started started;
  ByteVector bytes = started.third;
  if (input.size() < 1) return;
  const size_t at = input[0] % bytes.size();
  for (size_t i = 1; i < input.size() && at + i <= bytes.size(); ++i) {
    bytes[at + i - 1] ^= input[i];
  }
  FeedHub(bytes);
}

void InspectBytes(ByteSpan bytes) {
  static Exchange x;
  x.Inspect(bytes, kNow);
}

void InspectChanged(ByteSpan input) {
  static Exchange x;
  static const ByteVector hello = x.client->Start(kNow);
  ByteVector bytes = hello;
  if (input.size() < 2) return;
  const size_t at = (size_t{input[0]} << 8 | input[1]) % bytes.size();
  for (size_t i = 2; i < input.size() && at + i - 2 < bytes.size(); ++i) {
    bytes[at + i - 2] ^= input[i];
  }
  x.Inspect(bytes, kNow);
}

}  // namespace
}  // namespace lwt::handshake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::handshake;
  if (size < 1) return 0;
  const ByteSpan input(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      FeedHub(input);
      break;
    case 1:
      FeedChanged(input);
      break;
    case 2:
      InspectChanged(input);
      break;
    case 3:
      ParseClientPayload(input);
      ParseHubPayload(input);
      ParseVerdict(input);
      break;
    default:
      InspectBytes(input);
  }
  return 0;
}
