// The client's half of a handshake. The first byte chooses how far a true hub
// has brought it before the rest of the input arrives.
#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

constexpr uint64_t kNow = Exchange::kNow;

// A client that has sent its hello, one that waits for the verdict, and what a
// true hub answers to each.
struct Started {
  Started() {
    FirstFlight first = x.door->Inspect(x.client->Start(kNow), kNow);
    waiting_for_flight.emplace(*x.client);
    first.handshake->Start(&flight);
    ByteVector third;
    x.client->Feed(flight, kNow, &third);
    waiting_for_verdict.emplace(*x.client);
    first.handshake->Feed(third, &verdict);
    first.handshake->Finish({}, &verdict);
  }
  Exchange x;
  ByteVector flight;
  ByteVector verdict;
  std::optional<ClientHandshake> waiting_for_flight;
  std::optional<ClientHandshake> waiting_for_verdict;
};

// `truth` with the input laid over it from an offset on.
ByteVector Changed(const ByteVector& truth, ByteSpan input) {
  ByteVector bytes = truth;
  if (input.size() < 2) return bytes;
  const size_t at = (size_t{input[0]} << 8 | input[1]) % bytes.size();
  for (size_t i = 2; i < input.size() && at + i - 2 < bytes.size(); ++i) {
    bytes[at + i - 2] ^= input[i];
  }
  return bytes;
}

void Feed(ClientHandshake client, ByteSpan bytes) {
  ByteVector out;
  if (client.Feed(bytes, kNow, &out) == ClientProgress::kDone) {
    client.TakeSession();
  } else {
    (void)client.status().message();
  }
}

}  // namespace
}  // namespace lwt::handshake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::handshake;
  static const Started started;
  if (size < 1) return 0;
  const ByteSpan input(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      Feed(*started.waiting_for_flight, input);
      break;
    case 1:
      Feed(*started.waiting_for_flight, Changed(started.flight, input));
      break;
    case 2:
      Feed(*started.waiting_for_verdict, input);
      break;
    case 3:
      Feed(*started.waiting_for_verdict, Changed(started.verdict, input));
      break;
    case 4:
      ParseHubPayload(input);
      break;
    default:
      ParseVerdict(input);
  }
  return 0;
}
