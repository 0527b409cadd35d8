// STUN messages: whatever is read is written and read again as the same, and a
// server answers a request with a message that can be read.
#include <cstdlib>

#include "control/nat/stun.h"
#include "control/nat/stun_server.h"

namespace lwt::nat {
namespace {

struct Fixed {
  Fixed() {
    handshake::InitCrypto();
    keys.SetNow(handshake::SecretKey(handshake::Sha256({})), 0, 0);
    key = StunKeyOf(keys.keys().front().psk);
  }
  handshake::KeyRing keys;
  handshake::SecretKey key;
};

void WrittenAgain(const StunMessage& message) {
  const auto bytes = FormatStun(message);
  const auto read = ParseStun(bytes);
  if (!read || read->kind != message.kind || read->id != message.id ||
      read->mapped != message.mapped || read->origin != message.origin ||
      read->other != message.other ||
      read->change_port != message.change_port) {
    std::abort();
  }
}

void Answered(const Fixed& fixed, handshake::ByteSpan bytes) {
  StunServer server({.keys = fixed.keys, .open = true});
  const StunServer::Place place{*ParseEndpoint("192.0.2.1:9000"), 9001,
                                *ParseEndpoint("192.0.2.2:9001")};
  const auto answer = server.OnDatagram(
      place, *ParseEndpoint("[2001:db8::1]:53"), bytes, 1'000'000);
  if (answer && !ParseStun(answer->bytes)) std::abort();
}

}  // namespace
}  // namespace lwt::nat

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::nat;
  static const Fixed fixed;
  const lwt::handshake::ByteSpan bytes(data, size);
  Answered(fixed, bytes);
  const auto message = ParseStun(bytes);
  if (!message) return 0;
  WrittenAgain(*message);
  IsProvenBy(fixed.key, *message, bytes);
  return 0;
}
