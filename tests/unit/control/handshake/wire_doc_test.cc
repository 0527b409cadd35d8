// Compares the worked examples of docs/protocol.md with what the code makes.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "control/handshake/messages.h"
#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

std::string ToHex(ByteSpan bytes) {
  std::string hex(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  hex.pop_back();
  return hex;
}

// Lines `name = hex` inside fences marked `worked`; a line that begins with
// spaces continues the one before.
std::map<std::string, std::string> ReadExamples() {
  std::ifstream file(LWT_SOURCE_ROOT "/docs/protocol.md");
  EXPECT_TRUE(file.is_open());
  std::map<std::string, std::string> examples;
  bool inside = false;
  std::string name;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      inside = line == "```worked";
      continue;
    }
    if (!inside) continue;
    const size_t equals = line.find(" = ");
    size_t from = 0;
    if (equals != std::string::npos) {
      name = line.substr(0, equals);
      from = equals + 3;
    }
    for (size_t i = from; i < line.size(); ++i) {
      if (line[i] != ' ') examples[name] += line[i];
    }
  }
  return examples;
}

void FixedEphemeral(std::span<uint8_t> out) {
  uint8_t next = 1;
  for (uint8_t& byte : out) byte = next++;
}

class WireDoc : public testing::Test {
 protected:
  WireDoc() : examples_(ReadExamples()) { InitCrypto(); }

  void Expect(const std::string& name, ByteSpan made) {
    EXPECT_EQ(examples_[name], ToHex(made)) << name << " = " << ToHex(made);
  }

  std::map<std::string, std::string> examples_;
};

TEST_F(WireDoc, Keys) {
  const SecretKey root = FixedSecret(0x00);
  LaneNonces nonces;
  uint8_t next = 0x20;
  for (uint8_t& byte : nonces.initiator) byte = next++;
  for (uint8_t& byte : nonces.responder) byte = next++;
  Expect("root", root.bytes());
  Expect("initiator nonce", nonces.initiator);
  Expect("responder nonce", nonces.responder);
  const LaneKey lane = DeriveLaneKey(root, {1}, nonces, 7);
  Expect("lane key", lane.key.bytes());
  Expect("lane IV", lane.iv.bytes());
  Expect("mask key", DeriveMaskKey(root, {1}, nonces).bytes());
  // Another root the other way: a schedule that took it would be seen.
  const SecretKey other = FixedSecret(0xc0);
  Expect("join key", DeriveJoinKeys({root, other}).from_initiator.bytes());
  Expect("verdict key", DeriveVerdictKey(root).bytes());
  const SecretKey shared = FixedSecret(0x40);
  Expect("shared secret", shared.bytes());
  Expect(
      "next root",
      DeriveNextRoots({other, root}, shared.bytes(), 8).from_responder.bytes());
  const SecretKey psk = FixedSecret(0x80);
  Expect("psk", psk.bytes());
  Expect("join mask key", DeriveJoinMaskKey(psk).bytes());
}

TEST_F(WireDoc, ClientHello) {
  Exchange x;
  x.client_config.random = FixedEphemeral;
  x.Rebuild();
  const ByteVector hello = x.client->Start(1'700'000'000'000);
  Expect("ClientHello", hello);
  // The offsets that the text gives.
  const ByteSpan bytes(hello);
  std::array<uint8_t, 32> secret;
  FixedEphemeral(secret);
  Expect("e", X25519Public(secret));
  Expect("sealed clock", bytes.subspan(11, 24));
  EXPECT_EQ(hello.size(), 517u);
  EXPECT_EQ(hello[43], 32) << "length of session_id";
  const size_t share = examples_["ClientHello"].find(examples_["e"]);
  EXPECT_EQ(examples_["offset of e"], std::to_string(share / 2));
}

TEST_F(WireDoc, ControlMessages) {
  std::array<uint8_t, 32> secret;
  FixedEphemeral(secret);
  const auto key = X25519Public(secret);
  const auto build = []<ControlBody M>(uint32_t sequence, uint32_t acknowledged,
                                       const M& body) {
    return BuildControlMessage(
        {sequence, acknowledged, M::kType, body.Build()});
  };
  Expect("request", build(1, 0, RekeyRequest{}));
  Expect("offer", build(1, 1, RekeyOffer{1, key}));
  Expect("answer", build(2, 1, RekeyAnswer{1, key}));
  Expect("done", build(2, 2, RekeyDone{1}));
  Expect("ack", BuildControlMessage({.acknowledged = 2}));
  Expect("notice",
         build(3, 2, Notice{NoticeCode::kUnknownType, "unknown type 9"}));
  Expect("routes", build(4, 2,
                         RoutesMessage{1,
                                       {*ParseIpPrefix("10.20.0.0/16"),
                                        *ParseIpPrefix("2001:db8:1::/64")}}));
  Expect("routes answer",
         build(5, 2, RoutesAnswer{1, {{1, RouteCode::kNotAccepted}}}));
  Expect("mtu", build(6, 2, MtuMessage{1301}));
  const std::string generated =
      "lwt1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_1Pw";
  Expect("new key", build(5, 2, NewKey{604'800, generated}));
  Expect("key kept",
         build(3, 5, KeyKept{IdOfKey(generated), KeyKept::Where::kFile}));
  Expect("dns", build(8, 2,
                      DnsMessage{.servers = {*ParseIpAddress("10.0.0.1"),
                                             *ParseIpAddress("2001:db8:1::53")},
                                 .domains = {"corp.example"}}));
  Expect("about", build(7, 2, About{"0.2.0", kOwnFeatures}));
}

TEST_F(WireDoc, Features) {
  ClientPayload payload;
  for (size_t i = 0; i < payload.nonce.size(); ++i) {
    payload.nonce[i] = static_cast<uint8_t>(i);
  }
  payload.offer.mtu = 1401;
  payload.offer.addresses = {*ParseIpPrefix("10.0.0.2/24")};
  const ByteVector bytes = BuildClientPayload(payload);
  Expect("with features", bytes);
  Expect("without", ByteSpan(bytes).first(bytes.size() - 4));
}

}  // namespace
}  // namespace lwt::handshake
