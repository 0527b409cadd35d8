// Hole punching over TCP between two hosts, each behind a NAT of any type: both
// call the endpoint at which a rendezvous saw the other, from the port that
// they called it from, and each takes a call from wherever it comes (RFC 5128
// §3.4, RFC 6544). By the mapping and the filtering of both (RFC 4787 §4.1 and
// §5, which RFC 5382 takes for TCP) it is known beforehand which pairs meet.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/world/nat_lab.h"
#include "tests/support/world/nat_types.h"

namespace lwt::world {
namespace {

const Endpoint kRendezvous = At("203.0.113.10", 443);
constexpr uint16_t kPort = 5000;
constexpr uint64_t kWayUs = 20'000;  // of each NAT: 20 ms from one to the other

// A host that takes part, with its own NAT, if it needs one.
struct Party {
  Party(NatLab& lab, Network& outside, Site* shared, int number,
        const NatBehaviour& behaviour)
      : site(shared != nullptr
                 ? *shared
                 : lab.topology.AddSite(
                       outside, Address("198.51.100." + std::to_string(number)),
                       *ParseIpPrefix("10." + std::to_string(number) +
                                      ".0.0/16"),
                       behaviour, kWayUs)),
        local(At("10." + std::to_string(number) + ".0.2", kPort)),
        host(site.network, {local.address}, 0) {
    host.Listen(kPort);
  }

  Site& site;
  const Endpoint local;
  PlainHost host;
  Endpoint seen;  // by the rendezvous
};

struct Tactic {
  std::vector<uint64_t> one_at_us = {0, 50'000, 150'000, 350'000, 750'000};
  std::vector<uint64_t> other_at_us = one_at_us;
  uint8_t opener_ttl = 0;  // of a SYN by each, as late, before all; 0: none
  // Ports behind the one seen that are called too.
  uint16_t predicted = 0;
};

class PunchLab : public NatLab {
 public:
  PunchLab() { rendezvous_.Listen(kRendezvous.port); }

  Party& Add(const NatBehaviour& behaviour, Site* shared = nullptr) {
    const int number = static_cast<int>(parties_.size()) + 1;
    parties_.push_back(std::make_unique<Party>(*this, topology.internet(),
                                               shared, number, behaviour));
    Party& party = *parties_.back();
    rendezvous_.Take();
    party.host.Call(party.local, kRendezvous);
    Run(kS);
    party.seen = rendezvous_.Take().at(0).source;
    return party;
  }

  // True when payload went both ways on one connection.
  bool Punch(Party& one, Party& other, const Tactic& tactic = {}) {
    std::multimap<uint64_t, std::pair<Party*, Party*>> calls;
    for (const uint64_t at : tactic.one_at_us) {
      calls.emplace(at, std::pair(&one, &other));
    }
    for (const uint64_t at : tactic.other_at_us) {
      calls.emplace(at, std::pair(&other, &one));
    }
    if (tactic.opener_ttl != 0) {
      one.host.Call(one.local, other.seen, tactic.opener_ttl);
      Run(tactic.other_at_us.front());
      other.host.Call(other.local, one.seen, tactic.opener_ttl);
      Run(kS / 10);
    }
    const uint64_t begin_us = now_us;
    for (const auto& [at_us, call] : calls) {
      Run(begin_us + at_us - now_us);
      Endpoint to = call.second->seen;
      for (uint16_t i = 0; i <= tactic.predicted; ++i, ++to.port) {
        call.first->host.Call(call.first->local, to);
      }
    }
    Run(kS);
    return Speak(one, other);
  }

 private:
  static std::vector<PlainHost::Connection> OpenOf(const Party& party) {
    std::vector<PlainHost::Connection> open;
    for (const auto& connection : party.host.connections()) {
      if (connection.state == PlainHost::State::kOpen &&
          connection.remote != kRendezvous) {
        open.push_back(connection);
      }
    }
    return open;
  }

  bool Speak(Party& one, Party& other) {
    bool heard[2] = {false, false};
    Party* const both[] = {&one, &other};
    for (Party* party : both) {
      for (const auto& connection : OpenOf(*party)) {
        party->host.Say(connection.local, connection.remote);
      }
    }
    Run(kS);
    for (size_t i = 0; i < 2; ++i) {
      for (const auto& connection : OpenOf(*both[i])) {
        heard[i] |= connection.heard;
      }
    }
    return heard[0] && heard[1];
  }

  PlainHost rendezvous_{topology.internet(), {kRendezvous.address}};
  std::vector<std::unique_ptr<Party>> parties_;
};

// ---- Each pair of types.

struct Row {
  const char* type;
  // In the order of the rows: they meet, or they do not.
  const char* meets;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.type; }

// They meet where one of them keeps its endpoint for everybody, so that the
// other's call reaches it, and where its filter, if it looks at ports, looks
// for a port that the other shows: where both keep theirs.
constexpr Row kMeets[] = {{"none", "+++++++++"},
                          {"firewall", "++++++---"},
                          {"full cone", "+++++++++"},
                          {"hairpin", "+++++++++"},
                          {"restricted", "+++++++++"},
                          {"port-restricted", "++++++---"},
                          {"address-dependent", "+-+++----"},
                          {"symmetric", "+-+++----"},
                          {"sequential", "+-+++----"}};

class PunchPairs : public testing::TestWithParam<Row> {};

INSTANTIATE_TEST_SUITE_P(Types, PunchPairs, testing::ValuesIn(kMeets));

TEST_P(PunchPairs, MeetAsTheirMappingAndFilteringAllow) {
  std::string meets;
  for (const Row& row : kMeets) {
    PunchLab lab;
    Party& one = lab.Add(NatNamed(GetParam().type));
    Party& other = lab.Add(NatNamed(row.type));
    meets += lab.Punch(one, other) ? '+' : '-';
  }
  EXPECT_EQ(meets, GetParam().meets) << GetParam().type;
}

// An opener that dies between the NATs changes nothing of it.
TEST_P(PunchPairs, MeetTheSameAfterOpeners) {
  std::string meets;
  for (const Row& row : kMeets) {
    PunchLab lab;
    Party& one = lab.Add(NatNamed(GetParam().type));
    Party& other = lab.Add(NatNamed(row.type));
    meets += lab.Punch(one, other, {.opener_ttl = 2}) ? '+' : '-';
  }
  EXPECT_EQ(meets, GetParam().meets) << GetParam().type;
}

// ---- NATs that answer what they did not ask for.

class PunchAnswering : public testing::Test {
 protected:
  PunchAnswering() {
    behaviour_.unsolicited = Unsolicited::kReset;
    behaviour_.timeouts.refused_us = 0;  // as Linux has it
  }
  // One call by each, the second this much later.
  bool Meet(uint64_t skew_us, uint8_t opener_ttl) {
    PunchLab lab;
    Party& one = lab.Add(behaviour_);
    Party& other = lab.Add(behaviour_);
    return lab.Punch(
        one, other,
        {.one_at_us = {0}, .other_at_us = {skew_us}, .opener_ttl = opener_ttl});
  }

  NatBehaviour behaviour_ = NatNamed("port-restricted");
};

TEST_F(PunchAnswering, TheCallsHaveToCrossBetweenTheNats) {
  EXPECT_TRUE(Meet(0, 0));
  EXPECT_TRUE(Meet(kWayUs - 1000, 0));
  // The first call was refused, which took its hole away.
  EXPECT_FALSE(Meet(kWayUs + 1000, 0));
  EXPECT_FALSE(Meet(10 * kWayUs, 0));
}

TEST_F(PunchAnswering, OpenersThatDieBetweenThemMakeTheTimeNoMatter) {
  EXPECT_TRUE(Meet(kWayUs + 1000, 2));
  EXPECT_TRUE(Meet(50 * kWayUs, 2));
  // One that gets as far as the other NAT is refused as any.
  EXPECT_FALSE(Meet(50 * kWayUs, 3));
}

TEST_F(PunchAnswering, SilentOnesDoNotMind) {
  behaviour_.unsolicited = Unsolicited::kDrop;
  PunchLab lab;
  Party& one = lab.Add(behaviour_);
  Party& other = lab.Add(behaviour_);
  EXPECT_TRUE(lab.Punch(
      one, other, {.one_at_us = {0, 1'000'000}, .other_at_us = {500'000}}));
}

// ---- What helps where the pair alone does not meet.

TEST(PunchPredicted, PortsInSequenceMayBeForeseen) {
  for (const uint16_t predicted : {0, 3}) {
    PunchLab lab;
    Party& one = lab.Add(NatNamed("port-restricted"));
    Party& other = lab.Add(NatNamed("sequential"));
    EXPECT_EQ(lab.Punch(one, other, {.predicted = predicted}), predicted != 0);
  }
  PunchLab lab;
  Party& one = lab.Add(NatNamed("port-restricted"));
  Party& other = lab.Add(NatNamed("symmetric"));
  EXPECT_FALSE(lab.Punch(one, other, {.predicted = 3}));
}

// ---- Two behind one NAT.

TEST(PunchAtHome, ByThePublicEndpointOnlyWhereItHairpins) {
  for (const char* type : {"full cone", "hairpin", "port-restricted"}) {
    PunchLab lab;
    Party& one = lab.Add(NatNamed(type));
    Party& other = lab.Add(NatNamed(type), &one.site);
    EXPECT_EQ(lab.Punch(one, other), std::string_view(type) == "hairpin")
        << type;
  }
}

TEST(PunchAtHome, ByTheAddressAtHomeAlways) {
  for (const Row& row : kMeets) {
    PunchLab lab;
    Party& one = lab.Add(NatNamed(row.type));
    Party& other = lab.Add(NatNamed(row.type), &one.site);
    one.seen = one.local;
    other.seen = other.local;
    EXPECT_TRUE(lab.Punch(one, other)) << row.type;
  }
}

// ---- Behind a carrier.

struct CarrierCase {
  const char* carrier;
  const char* home;
  const char* other;
  bool meets;
};

TEST(PunchCarrier, TheStricterOneOfBothCounts) {
  for (const CarrierCase& c :
       {CarrierCase{"full cone", "port-restricted", "port-restricted", true},
        CarrierCase{"port-restricted", "port-restricted", "restricted", true},
        CarrierCase{"symmetric", "port-restricted", "restricted", true},
        CarrierCase{"symmetric", "full cone", "port-restricted", false},
        CarrierCase{"full cone", "symmetric", "port-restricted", false}}) {
    SCOPED_TRACE(std::string(c.home) + " behind " + c.carrier + " to " +
                 c.other);
    PunchLab lab;
    Site& carrier = lab.topology.AddSite(
        lab.topology.internet(), Address("198.51.100.250"),
        *ParseIpPrefix("100.64.0.0/10"), NatNamed(c.carrier), kWayUs);
    Site& home = lab.topology.AddSite(carrier.network, Address("100.64.0.2"),
                                      *ParseIpPrefix("10.1.0.0/16"),
                                      NatNamed(c.home), 0);
    Party& one = lab.Add({}, &home);
    Party& other = lab.Add(NatNamed(c.other));
    EXPECT_EQ(lab.Punch(one, other), c.meets);
  }
}

// Two customers of one carrier are as two hosts at one home.
TEST(PunchCarrier, CustomersNeedItToHairpin) {
  for (const char* type : {"full cone", "hairpin"}) {
    PunchLab lab;
    Site& carrier = lab.topology.AddSite(
        lab.topology.internet(), Address("198.51.100.250"),
        *ParseIpPrefix("100.64.0.0/10"), NatNamed(type), kWayUs);
    std::vector<Party*> parties;
    for (const int i : {1, 2}) {
      const std::string number = std::to_string(i);
      Site& home =
          lab.topology.AddSite(carrier.network, Address("100.64.0." + number),
                               *ParseIpPrefix("10." + number + ".0.0/16"),
                               NatNamed("restricted"), 0);
      parties.push_back(&lab.Add({}, &home));
    }
    EXPECT_EQ(lab.Punch(*parties[0], *parties[1]),
              std::string_view(type) == "hairpin");
  }
}

}  // namespace
}  // namespace lwt::world
