#include "tests/support/world/conversation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "control/base/text.h"
#include "tests/support/world/attacker.h"
#include "tests/support/world/traffic.h"
#include "tests/support/world/world.h"

namespace lwt::world {
namespace {

using config::Concat;

constexpr uint64_t kPatienceUs = 10 * kSecond;
// What failures in a row make a client wait beyond that; a service of 10 s
// makes up for them.
constexpr uint64_t kBackoffUs = 32 * kSecond;
constexpr uint64_t kPingUs = kSecond / 10;
constexpr uint64_t kLongestPhaseUs = 8 * kSecond;
// FINs, groups of records that wait for others, and SYNs in the name of a
// client that are answered for 63 s.
constexpr uint64_t kAfterlifeUs = 70 * kSecond;

fec::Settings AnyCode(Choices& choices) {
  fec::Settings fec;
  constexpr fec::Mode kModes[] = {fec::Mode::kAuto, fec::Mode::kOff,
                                  fec::Mode::kFixed};
  fec.mode = choices.Of(kModes);
  if (fec.mode == fec::Mode::kFixed) fec.fixed = {4, 2, 1};
  return fec;
}

Endpoint Hub() { return *ParseEndpoint("192.0.2.1:443"); }

class Conversation {
 public:
  Conversation(Choices& choices, const ConversationOptions& options)
      : choices_(choices),
        options_(options),
        world_(options.seed, options.verbose),
        attacker_(world_.network(), choices, Hub().address),
        traffic_(world_) {
    GatewayOptions hub;
    hub.outer = Hub();
    hub.inner = *ParseIpPrefix("10.0.0.1/24");
    hub.super_frames = choices.OneIn(2);
    hub.fec = AnyCode(choices);
    world_.AddHub(hub);
    for (uint32_t i = 0; i < options.clients; ++i) AddClient(i);
    world_.network().Place(&attacker_);
  }

  ConversationResult Run() {
    if (choices_.OneIn(2)) Calm();
    while (result_.failure.empty() && attacker_.steps() < options_.steps &&
           !choices_.exhausted()) {
      ++result_.phases;
      Hostile();
      Calm();
    }
    if (result_.failure.empty()) End();
    result_.steps = attacker_.steps();
    result_.packets = traffic_.arrived();
    result_.fake_us = world_.now_us();
    return result_;
  }

 private:
  void AddClient(uint32_t index) {
    GatewayOptions client;
    client.outer = {*ParseIpAddress(Concat("198.51.100.", index + 1)), 40000};
    client.inner = *ParseIpPrefix(Concat("10.0.0.", index + 2, "/24"));
    client.super_frames = choices_.OneIn(2);
    client.fec = AnyCode(choices_);
    constexpr uint64_t kDelays[] = {10'000, 500, 100'000};
    client.delay_us = choices_.Of(kDelays);
    constexpr uint64_t kRecords[] = {1 << 20, 200};
    client.rekey_records = choices_.Of(kRecords);
    world_.AddClient(client);
  }

  Gateway& AnyClient() {
    return *world_.clients()[choices_.Below(options_.clients)];
  }

  // Both ways of one client, and now and then from client to client.
  void Burst() {
    Gateway& client = AnyClient();
    Gateway& hub = world_.hub();
    constexpr size_t kSizes[] = {64, 300, 1300, 1409};
    for (uint32_t i = choices_.Below(24); i > 0; --i) {
      const size_t size = choices_.Of(kSizes);
      if (choices_.OneIn(2)) {
        traffic_.Send(client, hub.options().inner.address, size);
      } else {
        traffic_.Send(hub, client.options().inner.address, size);
      }
    }
    Gateway& other = AnyClient();
    if (&other != &client) {
      traffic_.Send(client, other.options().inner.address, 200);
    }
  }

  bool Step(uint64_t until_us) {
    world_.Advance(until_us);
    if (world_.spun()) Fail("a gateway does not come to rest");
    if (!traffic_.TakeAll()) Fail("a packet arrived that nobody sent so");
    return result_.failure.empty();
  }

  void Hostile() {
    attacker_.ChangeMood();
    constexpr uint64_t kLengths[] = {kSecond / 10, kSecond, 3 * kSecond,
                                     kLongestPhaseUs};
    const uint64_t until_us = world_.now_us() + choices_.Of(kLengths);
    constexpr uint64_t kGaps[] = {1000, 20'000, 300'000};
    const uint64_t gap_us = choices_.Of(kGaps);
    constexpr uint64_t kSteps[] = {100, 1000, 5000};
    const uint64_t last_step =
        std::min(options_.steps, attacker_.steps() + choices_.Of(kSteps));
    uint64_t next_us = world_.now_us();
    while (world_.now_us() < until_us && attacker_.steps() < last_step) {
      if (world_.now_us() >= next_us) {
        next_us = world_.now_us() + gap_us;
        Burst();
        if (choices_.OneIn(2)) attacker_.Inject();
      }
      if (!Step(std::min(next_us, until_us))) return;
    }
    traffic_.Prune();
  }

  // Everything has to pass both ways within the patience.
  void Calm() {
    if (!result_.failure.empty()) return;
    attacker_.Rest();
    traffic_.Mark();
    const uint64_t from_us = world_.now_us();
    uint64_t next_us = from_us;
    while (!AllPassed()) {
      if (world_.now_us() > from_us + patience_us_) return FailStalled();
      if (world_.now_us() >= next_us) {
        next_us = world_.now_us() + kPingUs;
        for (const auto& client : world_.clients()) Ping(*client);
      }
      if (!Step(next_us)) return;
    }
    result_.longest_us =
        std::max(result_.longest_us, world_.now_us() - from_us);
    constexpr uint64_t kRests[] = {12 * kSecond, 12 * kSecond, 30 * kSecond,
                                   kSecond / 10};
    const uint64_t rest_us = choices_.Of(kRests);
    patience_us_ = rest_us < kSecond ? kPatienceUs + kBackoffUs : kPatienceUs;
    const uint64_t until_us = world_.now_us() + rest_us;
    while (world_.now_us() < until_us && Step(until_us)) {
    }
    if (world_.hub().clients() != options_.clients) {
      Fail("the hub has other clients than there are");
    }
    for (const auto& client : world_.clients()) {
      const size_t lanes = client->session()->session() == nullptr
                               ? 0
                               : client->session()->session()->lanes().size();
      if (client->ports_held() > lanes + 1) Fail("a port is held for nothing");
    }
  }

  void Ping(Gateway& client) {
    Gateway& hub = world_.hub();
    traffic_.Send(client, hub.options().inner.address, 84);
    traffic_.Send(hub, client.options().inner.address, 84);
  }

  bool AllPassed() {
    const auto& clients = world_.clients();
    return std::all_of(clients.begin(), clients.end(), [&](auto& client) {
      return traffic_.Passed(*client, world_.hub()) &&
             traffic_.Passed(world_.hub(), *client);
    });
  }

  void End() {
    world_.Close();
    const uint64_t until_us = world_.now_us() + kAfterlifeUs;
    while (world_.now_us() < until_us && Step(until_us)) {
    }
    const std::string left = world_.Leftovers();
    if (!left.empty()) Fail(Concat("at the end ", left));
  }

  void FailStalled() {
    std::string why = "a clean path carries nothing:";
    for (const auto& client : world_.clients()) {
      why +=
          Concat(" ", ToString(client->options().inner), " is ",
                 client->session()->state(), " (", client->session()->reason(),
                 "), there ", traffic_.Passed(*client, world_.hub()) + 0,
                 ", back ", traffic_.Passed(world_.hub(), *client) + 0, ";");
    }
    for (Gateway* gateway : world_.gateways()) why += gateway->Describe();
    Fail(why);
  }

  void Fail(const std::string& why) {
    if (!result_.failure.empty()) return;
    result_.failure = Concat(why, " (seed ", options_.seed, ", step ",
                             attacker_.steps(), ", ", world_.now_us(), " us)");
  }

  Choices& choices_;
  const ConversationOptions options_;
  World world_;
  Attacker attacker_;
  Traffic traffic_;
  uint64_t patience_us_ = kPatienceUs;
  ConversationResult result_;
};

}  // namespace

ConversationResult Converse(Choices& choices,
                            const ConversationOptions& options) {
  return Conversation(choices, options).Run();
}

}  // namespace lwt::world
