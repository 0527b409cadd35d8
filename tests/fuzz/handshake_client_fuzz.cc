// The client's half of a handshake. The first byte chooses how far a true hub
// has brought it before the rest of the input arrives.
#include <cstdlib>
#include <memory>

#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

// A client that has sent its hello, and what a true hub answers to it.
struct FirstFlightOf {
  explicit FirstFlightOf(Exchange& x) {
    FirstFlight first = x.Inspect(x.client->Start(kNow), kNow);
    client.emplace(*x.client);
    hub.emplace(std::move(*first.handshake));
    hub->Start(&flight);
  }
  std::optional<ClientHandshake> client;
  std::optional<HubHandshake> hub;
  ByteVector flight;
};

// The same one step on: the client waits for a verdict, the hub has to give
// one.
struct Started {
  Started() : first(x) {
    waiting_for_verdict = std::make_unique<ClientHandshake>(*first.client);
    ByteVector third;
    waiting_for_verdict->Feed(first.flight, kNow, &third);
    ByteVector none;
    first.hub->Feed(third, &none);
    HubHandshake accepting = *first.hub;
    accepting.Finish({}, &verdict);
  }
  Exchange x;
  FirstFlightOf first;
  ByteVector verdict;
  std::unique_ptr<ClientHandshake> waiting_for_verdict;
};

// A hub whose key is not the one that the client knows.
struct OtherKey {
  OtherKey() {
    x.client_config.expected_hub_key = FixedStaticKey(9).public_key;
    x.Rebuild();
    first.emplace(x);
  }
  Exchange x;
  std::optional<FirstFlightOf> first;
};

// A hub that speaks a later version.
struct OtherVersion {
  OtherVersion() {
    x.hub_config.offer.version = kProtocolVersion + 1;
    x.Rebuild();
    first.emplace(x);
  }
  Exchange x;
  std::optional<FirstFlightOf> first;
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

absl::StatusCode Feed(ClientHandshake client, ByteSpan bytes) {
  ByteVector out;
  const ClientProgress progress = client.Feed(bytes, kNow, &out);
  if (progress == ClientProgress::kDone) client.TakeSession();
  // The first fault is the one that is told, whatever comes later.
  const absl::StatusCode code = client.status().code();
  if (progress == ClientProgress::kFailed) {
    client.Feed(bytes, kNow, &out);
    if (client.status().code() != code) std::abort();
  }
  return code;
}

// The input is the code and the sentence of a true hub's refusal.
void FeedRefusal(const Started& started, ByteSpan input) {
  if (input.empty()) return;
  Verdict refusal;
  refusal.code = static_cast<VerdictCode>(input[0] % 8);
  if (refusal.code == VerdictCode::kAccepted) return;
  refusal.text.assign(input.begin() + 1, input.end());
  HubHandshake hub = *started.first.hub;
  ByteVector bytes;
  hub.Finish(refusal, &bytes);
  if (Feed(*started.waiting_for_verdict, bytes) !=
      absl::StatusCode::kPermissionDenied) {
    std::abort();
  }
}

void FeedOthers(ByteSpan input) {
  static const OtherKey key;
  static const OtherVersion version;
  Feed(*key.first->client, Changed(key.first->flight, input));
  Feed(*version.first->client, Changed(version.first->flight, input));
}

}  // namespace
}  // namespace lwt::handshake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::handshake;
  static const Started started;
  if (size < 1) return 0;
  const ByteSpan input(data + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      Feed(*started.first.client, input);
      break;
    case 1:
      Feed(*started.first.client, Changed(started.first.flight, input));
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
    case 5:
      ParseVerdict(input);
      break;
    case 6:
      FeedRefusal(started, input);
      break;
    default:
      FeedOthers(input);
  }
  return 0;
}
