// Random NATs and random segments through them: whatever comes, each endpoint
// outside is one host's alone, a connection keeps its endpoint, what a host
// asked for comes in, and nothing else does.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/world/choices.h"
#include "tests/support/world/nat_lab.h"

namespace lwt::world {
namespace {

constexpr uint64_t kSeeds = 300;
constexpr int kSteps = 400;
constexpr uint64_t kOpenUs = 60 * NatLab::kS;  // the longest of the times
constexpr uint16_t kFirstPort = 5000;

bool SameFor(Dependence dependence, const Endpoint& a, const Endpoint& b) {
  return dependence == Dependence::kNone ||
         (a.address == b.address &&
          (dependence == Dependence::kAddress || a.port == b.port));
}

NatBehaviour AnyBehaviour(Choices& choices) {
  constexpr Dependence kDependences[] = {
      Dependence::kNone, Dependence::kAddress, Dependence::kAddressAndPort};
  constexpr PortChoice kChoices[] = {PortChoice::kPreserve, PortChoice::kNext,
                                     PortChoice::kRandom};
  NatBehaviour behaviour;
  behaviour.mapping = choices.Of(kDependences);
  behaviour.filtering = choices.Of(kDependences);
  behaviour.ports = choices.Of(kChoices);
  behaviour.first_port = kFirstPort;
  behaviour.last_port = static_cast<uint16_t>(kFirstPort + choices.Below(24));
  behaviour.hairpins = choices.OneIn(2);
  behaviour.picks_up = choices.OneIn(4);
  behaviour.timeouts.opening_us = 10 * NatLab::kS;
  behaviour.timeouts.open_us = kOpenUs;
  behaviour.timeouts.closing_us = 5 * NatLab::kS;
  behaviour.timeouts.reset_us = 5 * NatLab::kS;
  behaviour.timeouts.refused_us = choices.OneIn(2) ? 0 : 5 * NatLab::kS;
  return behaviour;
}

class RandomNat : public NatLab {
 public:
  explicit RandomNat(uint64_t seed)
      : choices_(seed),
        site_(topology.AddSite(topology.internet(), Address("198.51.100.1"),
                               *ParseIpPrefix("10.0.0.0/24"),
                               AnyBehaviour(choices_), 0)),
        servers_(topology.internet(),
                 {Address("192.0.2.1"), Address("192.0.2.2")}, 0) {
    for (const char* address : {"10.0.0.2", "10.0.0.3", "10.0.0.4"}) {
      hosts_.push_back(std::make_unique<PlainHost>(
          site_.network, std::vector{Address(address)}, 0));
    }
  }

  void Step() {
    switch (choices_.Below(16)) {
      case 0:
        return Run(choices_.Below(20) * kS);
      case 1:
        if (!choices_.OneIn(8)) return;
        said_.clear();
        kept_.clear();
        return site_.nat.Reboot();
      case 2:
      case 3:
      case 4:
      case 5:
        return FromOutside();
      default:
        return FromInside();
    }
  }

  uint64_t out() const { return out_; }
  uint64_t in() const { return in_; }
  uint64_t kept_out() const { return kept_out_; }

 private:
  // What the host behind an endpoint outside has said, to whom, and when.
  struct Said {
    Endpoint inside;
    Endpoint outside;
    Endpoint remote;
    uint64_t at_us;
  };

  const NatBehaviour& behaviour() const { return site_.nat.behaviour(); }
  uint8_t AnyFlags() {
    constexpr int kFlags[] = {wire::kSyn,
                              wire::kSyn,
                              wire::kSyn | wire::kAck,
                              wire::kAck,
                              wire::kFin | wire::kAck,
                              wire::kRst,
                              wire::kRst | wire::kAck};
    return static_cast<uint8_t>(choices_.Of(kFlags));
  }
  Endpoint AnyRemote() {
    return {choices_.OneIn(2) ? Address("192.0.2.1") : Address("192.0.2.2"),
            static_cast<uint16_t>(440 + choices_.Below(2))};
  }
  Endpoint AnyInside() {
    return {Address("10.0.0." + std::to_string(2 + choices_.Below(3))),
            static_cast<uint16_t>(kFirstPort + choices_.Below(3))};
  }
  PlainHost& HostOf(const Endpoint& inside) {
    return *hosts_[inside.address.bytes[3] - 2u];
  }

  // Each host inside has what it was sent.
  std::vector<TcpSegment> TakeInside() {
    std::vector<TcpSegment> all;
    for (const auto& host : hosts_) {
      for (const TcpSegment& segment : host->Take()) all.push_back(segment);
    }
    return all;
  }

  std::optional<Nat::Tie> CheckTies(const Endpoint& outside) {
    const auto ties = site_.nat.Ties();
    std::optional<Nat::Tie> found;
    for (size_t i = 0; i < ties.size(); ++i) {
      EXPECT_GE(ties[i].outside.port, behaviour().first_port);
      EXPECT_LE(ties[i].outside.port, behaviour().last_port);
      if (ties[i].outside == outside) found = ties[i];
      for (size_t j = 0; j < i; ++j) {
        EXPECT_NE(ties[i].outside, ties[j].outside) << "is shared";
        EXPECT_TRUE(behaviour().mapping != Dependence::kNone ||
                    ties[i].inside != ties[j].inside)
            << ToString(ties[i].inside) << " has two";
      }
    }
    std::erase_if(said_, [&](const Said& said) {
      return std::find(ties.begin(), ties.end(),
                       Nat::Tie{said.inside, said.outside}) == ties.end();
    });
    return found;
  }

  // The endpoint that this connection had, if its mapping is still there.
  std::optional<Endpoint> KeptFor(const Endpoint& inside,
                                  const Endpoint& remote) {
    const auto ties = site_.nat.Ties();
    for (const auto& [ends, outside] : kept_) {
      if (ends.first == inside &&
          SameFor(behaviour().mapping, ends.second, remote) &&
          std::find(ties.begin(), ties.end(), Nat::Tie{inside, outside}) !=
              ties.end()) {
        return outside;
      }
    }
    return std::nullopt;
  }

  // A mapping is of one host and of what it depends on, and has one endpoint.
  void Keep(const Endpoint& inside, const Endpoint& remote,
            const Endpoint& outside) {
    std::erase_if(kept_, [&](const auto& kept) {
      return kept.second == outside ||
             (kept.first.first == inside &&
              SameFor(behaviour().mapping, kept.first.second, remote));
    });
    kept_.emplace_back(std::pair(inside, remote), outside);
  }

  void FromInside() {
    const Endpoint inside = AnyInside();
    // Now and then a neighbour, by its endpoint outside.
    const auto ties = site_.nat.Ties();
    const bool hairpin = !ties.empty() && choices_.OneIn(5);
    const Endpoint remote =
        hairpin
            ? ties[choices_.Below(static_cast<uint32_t>(ties.size()))].outside
            : AnyRemote();
    const uint8_t flags = AnyFlags();
    const auto kept = KeptFor(inside, remote);
    servers_.Take();
    TakeInside();
    HostOf(inside).Send(inside, remote, flags);
    Run(kMs);
    const auto seen = hairpin ? TakeInside() : servers_.Take();
    ASSERT_LE(seen.size(), 1u);
    if (seen.empty()) {
      // It may always begin a connection, as long as there are ports.
      EXPECT_TRUE(hairpin || flags != wire::kSyn ||
                  site_.nat.Ties().size() >
                      size_t{behaviour().last_port} - behaviour().first_port)
          << "a SYN was refused";
      if (hairpin) NoteUnheard(inside, remote);
      return;
    }
    ++out_;
    EXPECT_TRUE(!hairpin || behaviour().hairpins);
    const Endpoint outside = seen[0].source;
    if (kept) {
      ++kept_out_;
      EXPECT_EQ(outside, *kept);
    }
    // What a RST was the answer to may be forgotten at once.
    const auto tie = CheckTies(outside);
    EXPECT_TRUE(tie || (flags & wire::kRst) != 0);
    if (!tie) return;
    EXPECT_EQ(tie->inside, inside);
    Keep(inside, remote, outside);
    said_.push_back({inside, outside, remote, now_us});
    if (hairpin) CheckIn(seen[0]);
    if (!hairpin && flags == wire::kSyn) Answer(inside, outside, remote);
  }

  // The neighbour's filter kept it out, but the asker has asked, and may have a
  // mapping for that.
  void NoteUnheard(const Endpoint& inside, const Endpoint& remote) {
    std::erase_if(kept_,
                  [&](const auto& kept) { return kept.first.first == inside; });
    for (const Nat::Tie& tie : site_.nat.Ties()) {
      if (tie.inside == inside) {
        said_.push_back({inside, tie.outside, remote, now_us});
      }
    }
  }

  // What a host asked for comes in.
  void Answer(const Endpoint& inside, const Endpoint& outside,
              const Endpoint& remote) {
    if (choices_.OneIn(3)) return;
    servers_.Send(remote, outside, wire::kSyn | wire::kAck);
    Run(kMs);
    const auto got = TakeInside();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].source, remote);
    EXPECT_EQ(got[0].destination, inside);
    CheckIn(got[0]);
  }

  // Of a segment that a host inside got: it had asked for it, or the NAT does
  // not look.
  void CheckIn(const TcpSegment& got) {
    ++in_;
    if (behaviour().filtering == Dependence::kNone) return;
    EXPECT_TRUE(std::any_of(said_.begin(), said_.end(),
                            [&](const Said& said) {
                              return said.inside == got.destination &&
                                     said.at_us + kOpenUs >= now_us &&
                                     SameFor(behaviour().filtering, said.remote,
                                             got.source);
                            }))
        << ToString(got.source) << " came in to " << ToString(got.destination);
    // A connection is not idle while one side speaks.
    for (Said& said : said_) {
      if (said.inside == got.destination && said.remote == got.source) {
        said.at_us = now_us;
      }
    }
  }

  void FromOutside() {
    const Endpoint remote = AnyRemote();
    const Endpoint target{
        site_.nat.address(),
        static_cast<uint16_t>(kFirstPort - 1 + choices_.Below(26))};
    const uint8_t flags = AnyFlags();
    const auto before = CheckTies(target);
    TakeInside();
    servers_.Take();
    servers_.Send(remote, target, flags);
    Run(kMs);
    const auto got = TakeInside();
    ASSERT_LE(got.size(), 1u);
    EXPECT_TRUE(servers_.Take().empty());  // this kind is silent
    if (got.empty()) return;
    ASSERT_TRUE(before) << "came in by nobody's endpoint";
    EXPECT_EQ(got[0].destination, before->inside);
    EXPECT_EQ(got[0].source, remote);
    CheckIn(got[0]);
  }

  SeededChoices choices_;
  Site& site_;
  PlainHost servers_;
  std::vector<std::unique_ptr<PlainHost>> hosts_;
  std::vector<Said> said_;
  std::vector<std::pair<std::pair<Endpoint, Endpoint>, Endpoint>> kept_;
  uint64_t out_ = 0;
  uint64_t in_ = 0;
  uint64_t kept_out_ = 0;
};

TEST(NatProperty, EndpointsAreOnesOwnAndFiltersHold) {
  uint64_t out = 0;
  uint64_t in = 0;
  uint64_t kept = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomNat nat(seed);
    for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) {
      nat.Step();
    }
    if (testing::Test::HasFailure()) return;
    out += nat.out();
    in += nat.in();
    kept += nat.kept_out();
  }
  // Much of it went through.
  EXPECT_GT(out, kSeeds * kSteps / 5);
  EXPECT_GT(kept, out / 4);
  EXPECT_GT(in, kSeeds * kSteps / 10);
}

}  // namespace
}  // namespace lwt::world
