// The verdict of each kind of NAT (RFC 4787 §4.1, §5), asked of a real server.
#include "control/nat/nat_detection.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "control/nat/stun_server.h"

namespace lwt::nat {
namespace {

Endpoint At(const char* text) { return *ParseEndpoint(text); }

// Of UDP, with a new outside port for each mapping.
class UdpNat {
 public:
  UdpNat(bool translates, Dependence mapping, Dependence filtering)
      : translates_(translates), mapping_(mapping), filtering_(filtering) {}

  Endpoint Out(const Endpoint& inside, const Endpoint& remote) {
    spoken_.insert({inside, Part(remote, filtering_)});
    if (!translates_) return inside;
    Endpoint& outside = mappings_[{inside, Part(remote, mapping_)}];
    if (outside.port == 0)
      outside = {At("203.0.113.1:1").address, next_port_++};
    return outside;
  }
  bool Admits(const Endpoint& inside, const Endpoint& remote) const {
    return filtering_ == Dependence::kNothing ||
           spoken_.contains({inside, Part(remote, filtering_)});
  }

 private:
  struct Less {
    bool operator()(const Endpoint& a, const Endpoint& b) const {
      return std::tie(a.address.bytes, a.port) <
             std::tie(b.address.bytes, b.port);
    }
    bool operator()(const std::pair<Endpoint, Endpoint>& a,
                    const std::pair<Endpoint, Endpoint>& b) const {
      if ((*this)(a.first, b.first)) return true;
      return !(*this)(b.first, a.first) && (*this)(a.second, b.second);
    }
  };
  static Endpoint Part(const Endpoint& remote, Dependence dependence) {
    switch (dependence) {
      case Dependence::kAddressAndPort:
        return remote;
      case Dependence::kAddress:
        return {remote.address, 0};
      default:
        return {};
    }
  }

  const bool translates_;
  const Dependence mapping_;
  const Dependence filtering_;
  uint16_t next_port_ = 40'000;
  std::map<std::pair<Endpoint, Endpoint>, Endpoint, Less> mappings_;
  std::set<std::pair<Endpoint, Endpoint>, Less> spoken_;
};

class NatDetectionTest : public ::testing::Test {
 protected:
  NatDetectionTest() {
    handshake::InitCrypto();
    keys_.SetNow(psk_, 0, 0);
  }

  // With one address of the server, or two; every `lost`th datagram is.
  NatVerdict Detect(UdpNat nat, bool two, int lost = 0) {
    NatDetection detection({.server = At("198.51.100.1:9000"),
                            .local = {At("10.0.0.2:1001"), At("10.0.0.2:1002")},
                            .key = StunKeyOf(psk_)});
    uint64_t now_us = 1'000'000;
    int sent = 0;
    while (!detection.done()) {
      while (const auto question = detection.Next(now_us)) {
        ++sent;
        if (lost != 0 && sent % lost == 0) continue;
        const Endpoint inside = local_[question->socket];
        const Endpoint source = nat.Out(inside, question->to);
        const auto answer = server_.OnDatagram(Place(question->to, two), source,
                                               question->bytes, now_us);
        if (answer && nat.Admits(inside, answer->from)) {
          detection.OnDatagram(question->socket, answer->from, answer->bytes);
        }
      }
      if (detection.done()) break;
      EXPECT_GT(detection.NextDeadline(), now_us);
      now_us = detection.NextDeadline();
    }
    EXPECT_LE(sent, 6 * NatDetection::kTries);
    return detection.verdict();
  }

  static StunServer::Place Place(const Endpoint& local, bool two) {
    const uint16_t other = local.port == 9000 ? 9001 : 9000;
    StunServer::Place place{local, other, {}};
    if (two) {
      place.other_address = local.address == At("198.51.100.1:1").address
                                ? Endpoint{At("198.51.100.2:1").address, other}
                                : Endpoint{At("198.51.100.1:1").address, other};
    }
    return place;
  }

  const Endpoint local_[2] = {At("10.0.0.2:1001"), At("10.0.0.2:1002")};
  const handshake::SecretKey psk_{handshake::Sha256({})};
  handshake::KeyRing keys_;
  StunServer server_{{.keys = keys_}};
};

constexpr Dependence kAll[] = {Dependence::kNothing, Dependence::kAddress,
                               Dependence::kAddressAndPort};

TEST_F(NatDetectionTest, TellsAllNineApartByTwoAddresses) {
  for (const Dependence mapping : kAll) {
    for (const Dependence filtering : kAll) {
      for (const int lost : {0, 2, 3}) {
        const NatVerdict verdict =
            Detect(UdpNat(true, mapping, filtering), true, lost);
        EXPECT_TRUE(verdict.answered && verdict.translated);
        EXPECT_FALSE(verdict.by_one_address);
        EXPECT_EQ(verdict.mapping, mapping) << NameOf(mapping);
        EXPECT_EQ(verdict.filtering, filtering)
            << NameOf(mapping) << NameOf(filtering) << lost;
        EXPECT_EQ(verdict.reflexive, At("203.0.113.1:40000"));
      }
    }
  }
}

TEST_F(NatDetectionTest, ByOneAddressWhatDependsOnPortsIsTold) {
  for (const Dependence mapping : kAll) {
    for (const Dependence filtering : kAll) {
      const NatVerdict verdict =
          Detect(UdpNat(true, mapping, filtering), false);
      EXPECT_TRUE(verdict.by_one_address);
      EXPECT_EQ(verdict.mapping == Dependence::kAddressAndPort,
                mapping == Dependence::kAddressAndPort);
      EXPECT_EQ(verdict.filtering == Dependence::kAddressAndPort,
                filtering == Dependence::kAddressAndPort);
    }
  }
}

TEST_F(NatDetectionTest, HasTheNamesThatPeopleUse) {
  const auto name = [this](bool translates, Dependence mapping,
                           Dependence filtering) {
    return ClassicName(Detect(UdpNat(translates, mapping, filtering), true));
  };
  const auto nothing = Dependence::kNothing;
  const auto both = Dependence::kAddressAndPort;
  EXPECT_EQ(name(false, nothing, nothing), "none");
  EXPECT_EQ(name(false, nothing, both), "firewall");
  EXPECT_EQ(name(true, nothing, nothing), "full cone");
  EXPECT_EQ(name(true, nothing, Dependence::kAddress), "restricted cone");
  EXPECT_EQ(name(true, nothing, both), "port-restricted cone");
  EXPECT_EQ(name(true, both, both), "symmetric");
  EXPECT_EQ(name(true, Dependence::kAddress, both), "symmetric");
}

TEST_F(NatDetectionTest, NobodyAnswers) {
  const NatVerdict verdict =
      Detect(UdpNat(true, Dependence::kNothing, Dependence::kNothing), true, 1);
  EXPECT_FALSE(verdict.answered);
  EXPECT_EQ(ClassicName(verdict), "unknown");
  EXPECT_NE(Describe(verdict).find("does not answer by UDP"),
            std::string::npos);
}

// Whoever sees the questions, or guesses, does not make the verdict.
TEST_F(NatDetectionTest, OnlyTheHubsAnswerCounts) {
  NatDetection detection({.server = At("198.51.100.1:9000"),
                          .local = {local_[0], local_[1]},
                          .key = StunKeyOf(psk_)});
  const auto question = detection.Next(1);
  ASSERT_TRUE(question);
  const auto request = ParseStun(question->bytes);
  ASSERT_TRUE(request);
  const StunMessage lie{.kind = StunKind::kSuccess,
                        .id = request->id,
                        .mapped = At("192.0.2.66:6")};
  const handshake::SecretKey key = StunKeyOf(psk_);
  const handshake::SecretKey other = StunKeyOf(key);
  StunMessage late = lie;
  late.id[0] ^= 1;
  const Endpoint hub = question->to;
  detection.OnDatagram(0, hub, FormatStun(lie));
  detection.OnDatagram(0, hub, FormatStun(lie, &other));
  detection.OnDatagram(0, hub, FormatStun(late, &key));
  detection.OnDatagram(0, At("192.0.2.66:9000"), FormatStun(lie, &key));
  detection.OnDatagram(1, hub, FormatStun(lie, &key));
  EXPECT_FALSE(detection.verdict().answered);
  detection.OnDatagram(0, hub, FormatStun(lie, &key));
  EXPECT_TRUE(detection.verdict().answered);
}

}  // namespace
}  // namespace lwt::nat
