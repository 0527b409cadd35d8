// Random paths: clients at one hub or two, behind NATs of any kind, on ways of
// any kind, of which now and then something fails: a NAT forgets, a way loses
// much, a host is away. Once that is over all carry again, and at the end
// nothing is left.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/world/choices.h"
#include "tests/support/world/nat_lab.h"
#include "tests/support/world/nat_types.h"
#include "tests/support/world/traffic.h"
#include "tests/support/world/world.h"

namespace lwt::world {
namespace {

constexpr uint64_t kPathSeeds = 20;
constexpr uint32_t kTroubles = 4;
constexpr uint64_t kPingUs = kSecond / 5;
// As the conversation has it: to give up a path and to build another one, and
// the longest back-off before that.
constexpr uint64_t kPatienceUs = (10 + 32) * kSecond;
constexpr uint64_t kAfterlifeUs = 40 * kSecond;

NatBehaviour AnyNat(Choices& choices) {
  const auto types = NatTypes();
  NatBehaviour behaviour =
      types[choices.Below(static_cast<uint32_t>(types.size()))].behaviour;
  behaviour.picks_up |= choices.OneIn(2);
  if (choices.OneIn(2)) behaviour.unsolicited = Unsolicited::kReset;
  constexpr uint64_t kTimes[] = {30 * kSecond, 300 * kSecond, 7440 * kSecond};
  behaviour.timeouts.open_us = choices.Of(kTimes);
  behaviour.timeouts.reset_us = choices.OneIn(2) ? 10 * kSecond : 0;
  behaviour.timeouts.refused_us = 0;
  return behaviour;
}

bad_link::LinkOptions AnyLink(Choices& choices, double most_loss) {
  constexpr uint64_t kDelays[] = {0, 5000, 100'000};
  bad_link::LinkOptions link;
  link.delay_us = choices.Of(kDelays);
  link.jitter_us = choices.OneIn(2) ? 2000 : 0;
  link.loss = choices.OneIn(2) ? most_loss * choices.Below(100) / 100 : 0;
  link.burst = choices.OneIn(3) ? 3 : 0;
  link.reorder = choices.OneIn(3) ? 0.05 : 0;
  link.duplicate = choices.OneIn(3) ? 0.05 : 0;
  link.seed = choices.Any32();
  return link;
}

class RandomPaths {
 public:
  explicit RandomPaths(uint64_t seed) : choices_(seed), world_(seed) {
    const uint32_t hubs = 1 + choices_.Below(2);
    for (uint32_t i = 0; i < hubs; ++i) AddHub(i);
    const uint32_t clients = 1 + choices_.Below(5);
    for (uint32_t i = 0; i < clients; ++i) AddClient(i);
  }

  void Run() {
    Calm();
    for (uint32_t i = 0; i < kTroubles && !testing::Test::HasFailure(); ++i) {
      Trouble();
      Calm();
    }
    if (testing::Test::HasFailure()) return;
    world_.Close();
    Pass(kAfterlifeUs, /*busy=*/false);
    EXPECT_EQ(world_.Leftovers(), "");
  }

  uint64_t longest_us() const { return longest_us_; }
  uint64_t arrived() const { return traffic_.arrived(); }

 private:
  void AddHub(uint32_t index) {
    const std::string number = std::to_string(index + 1);
    GatewayOptions hub;
    hub.outer = At("192.0.2." + number, 443);
    hub.inner = *ParseIpPrefix("10." + number + ".0.1/24");
    world_.AddHub(hub);
  }

  // On the internet, behind a NAT of its own, behind somebody's, or behind one
  // that is itself behind another.
  void AddClient(uint32_t index) {
    const std::string number = std::to_string(index + 1);
    GatewayOptions client;
    client.outer = At("198.51.100." + number,
                      static_cast<uint16_t>(40'000 + 1000 * index));
    Network* network = &world_.network();
    if (!choices_.OneIn(4)) {
      if (sites_.empty() || !choices_.OneIn(3)) AddSite();
      network = &sites_.back()->network;
      client.outer.address =
          Address("10." + std::to_string(sites_.size()) + ".7." + number);
    }
    client.network = network;
    const uint32_t hub =
        choices_.Below(static_cast<uint32_t>(world_.hubs().size()));
    client.hubs = {world_.hubs()[hub]->options().outer};
    client.inner = *ParseIpPrefix("10." + std::to_string(hub + 1) + ".0." +
                                  std::to_string(index + 2) + "/24");
    hub_of_.push_back(hub);
    world_.AddClient(client);
    ways_.push_back({network, client.outer.address});
    if (choices_.OneIn(2)) Impair(ways_.back(), 0.05);
  }

  void AddSite() {
    const std::string number = std::to_string(sites_.size() + 1);
    const bool nested = !sites_.empty() && choices_.OneIn(3);
    NatBehaviour behaviour = AnyNat(choices_);
    // Nobody has a route to what lies two routers away.
    behaviour.translates |= nested;
    sites_.push_back(&world_.topology().AddSite(
        nested ? sites_.back()->network : world_.network(),
        nested ? Address("10." + std::to_string(sites_.size()) + ".0.9")
               : Address("203.0.113." + number),
        *ParseIpPrefix("10." + number + ".0.0/16"), behaviour));
  }

  struct Way {
    Network* network;
    IpAddress address;
  };
  void Impair(const Way& way, double most_loss) {
    Impairment bad;
    bad.to = AnyLink(choices_, most_loss);
    bad.from = AnyLink(choices_, most_loss);
    way.network->Impair(way.address, bad);
  }
  const Way& AnyWay() {
    return ways_[choices_.Below(static_cast<uint32_t>(ways_.size()))];
  }

  void Trouble() {
    constexpr uint64_t kTimes[] = {kSecond / 10, 3 * kSecond, 12 * kSecond,
                                   100 * kSecond};
    const uint64_t for_us = choices_.Of(kTimes);
    const bool busy = choices_.OneIn(2);
    switch (choices_.Below(4)) {
      case 0:  // one NAT forgets, or all do
        for (Site* site : sites_) {
          if (!choices_.OneIn(3)) site->nat.Reboot();
        }
        return Pass(choices_.OneIn(2) ? 0 : for_us, busy);
      case 1: {  // nothing at all passes for a while
        const Way way = AnyWay();
        Impairment none;
        none.to.loss = none.from.loss = 1;
        way.network->Impair(way.address, none);
        Pass(for_us, busy);
        return Impair(way, 0);
      }
      case 2: {  // or not much
        const Way way = AnyWay();
        Impair(way, 0.9);
        Pass(for_us, busy);
        return Impair(way, 0.05);
      }
      default:
        return Pass(for_us, busy);
    }
  }

  bool Step(uint64_t until_us, bool busy) {
    if (busy && world_.now_us() >= next_ping_us_) {
      next_ping_us_ = world_.now_us() + kPingUs;
      for (size_t i = 0; i < world_.clients().size(); ++i) {
        Gateway& client = *world_.clients()[i];
        Gateway& hub = HubOf(i);
        traffic_.Send(client, hub.options().inner.address, 84);
        traffic_.Send(hub, client.options().inner.address, 1300);
      }
    }
    world_.Advance(busy ? std::min(until_us, next_ping_us_) : until_us);
    const bool well = traffic_.TakeAll() && !world_.spun();
    EXPECT_TRUE(well);
    return well;
  }

  void Pass(uint64_t for_us, bool busy) {
    const uint64_t until_us = world_.now_us() + for_us;
    while (world_.now_us() < until_us && Step(until_us, busy)) {
    }
    traffic_.Prune();
  }

  HubGateway& HubOf(size_t client) { return *world_.hubs()[hub_of_[client]]; }

  bool AllPassed() {
    for (size_t i = 0; i < world_.clients().size(); ++i) {
      if (!traffic_.Passed(*world_.clients()[i], HubOf(i)) ||
          !traffic_.Passed(HubOf(i), *world_.clients()[i])) {
        return false;
      }
    }
    return true;
  }

  void Calm() {
    traffic_.Mark();
    const uint64_t from_us = world_.now_us();
    while (!AllPassed()) {
      if (world_.now_us() > from_us + kPatienceUs) return FailStalled();
      if (!Step(from_us + kPatienceUs + 1, /*busy=*/true)) return;
    }
    longest_us_ = std::max(longest_us_, world_.now_us() - from_us);
    Pass(12 * kSecond, /*busy=*/true);
    for (size_t i = 0; i < world_.hubs().size(); ++i) {
      EXPECT_EQ(
          world_.hubs()[i]->clients(),
          static_cast<size_t>(std::count(hub_of_.begin(), hub_of_.end(), i)));
    }
  }

  void FailStalled() {
    std::string why = "after " + std::to_string(world_.now_us()) + " us:";
    for (size_t i = 0; i < world_.clients().size(); ++i) {
      Gateway& client = *world_.clients()[i];
      const std::string pair = "client " + std::to_string(i) + " and its hub\n";
      if (!traffic_.Passed(client, HubOf(i))) why += "\nnot up: " + pair;
      if (!traffic_.Passed(HubOf(i), client)) why += "\nnot down: " + pair;
    }
    for (Gateway* gateway : world_.gateways()) why += gateway->Describe();
    ADD_FAILURE() << why;
  }

  SeededChoices choices_;
  World world_;
  Traffic traffic_{world_};
  std::vector<Site*> sites_;
  std::vector<Way> ways_;  // of the clients
  std::vector<size_t> hub_of_;
  uint64_t next_ping_us_ = 0;
  uint64_t longest_us_ = 0;
};

uint64_t Asked(const char* variable, uint64_t otherwise) {
  const char* const asked = std::getenv(variable);
  return asked == nullptr ? otherwise : std::strtoull(asked, nullptr, 10);
}

TEST(PathsProperty, AllCarryAgainWhateverFailed) {
  const uint64_t first = Asked("LWT_PATHS_SEED", 1);
  const uint64_t seeds = Asked("LWT_PATHS_SEEDS", kPathSeeds);
  uint64_t longest_us = 0;
  uint64_t arrived = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomPaths paths(seed);
    paths.Run();
    if (testing::Test::HasFailure()) return;
    longest_us = std::max(longest_us, paths.longest_us());
    arrived += paths.arrived();
  }
  std::printf("%lu packets, at most %lu ms until all carried\n", arrived,
              longest_us / 1000);
  EXPECT_GT(arrived, seeds * 500);
}

}  // namespace
}  // namespace lwt::world
