// Lane joins: the hub's reading of a hello, the client's of an answer. The
// first byte chooses; true bytes have the input laid over them.
#include <array>
#include <cstdlib>

#include "control/handshake/lane_join.h"
#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

constexpr std::array<LaneId, 16> kNewest{};  // none has joined

struct Fixed {
  Fixed() {
    InitCrypto();
    keys = DeriveJoinKeys({FixedSecret(1), FixedSecret(2)});
    mask = DeriveJoinMaskKey(FixedSecret(3));
    request = MakeLaneJoin(mask, keys, 7, {1}, {0}, kNow, CountedRandom::Fill);
    answer = AnswerLaneJoin(keys, request.hello,
                            *OpenLaneJoin(keys, request.hello, kNewest, kNow),
                            3, CountedRandom::Fill)
                 .bytes;
  }
  KeyPair keys;
  SecretKey mask;
  LaneJoinRequest request;
  ByteVector answer;
};

void Overlay(std::span<uint8_t> truth, ByteSpan input) {
  if (input.empty()) return;
  const size_t at = input[0] % truth.size();
  for (size_t i = 1; i < input.size() && at + i <= truth.size(); ++i) {
    truth[at + i - 1] ^= input[i];
  }
}

void ReadAnswer(const Fixed& fixed, ByteSpan bytes) {
  JoinedLane lane;
  size_t consumed = 0;
  if (ReadLaneJoinAnswer(fixed.keys, fixed.request, bytes, &lane, &consumed) ==
          LaneJoinProgress::kDone &&
      (lane.epoch != 3 || consumed > bytes.size())) {
    std::abort();
  }
}

}  // namespace
}  // namespace lwt::handshake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::handshake;
  static const Fixed fixed;
  if (size < 1) return 0;
  const ByteSpan input(data + 1, size - 1);
  if (data[0] % 3 == 0) {
    HelloFields hello = fixed.request.hello;
    Overlay(hello.random_and_session_id, input);
    LaneJoinSessionId(fixed.mask, hello);
    const auto blob = OpenLaneJoin(fixed.keys, hello, kNewest, kNow);
    if (blob && blob->lane_id.value != 1) std::abort();
  } else if (data[0] % 3 == 1) {
    ByteVector answer = fixed.answer;
    Overlay(answer, input);
    ReadAnswer(fixed, answer);
  } else {
    ReadAnswer(fixed, input);
  }
  return 0;
}
