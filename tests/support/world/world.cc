#include "tests/support/world/world.h"

#include <rte_eal.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "control/base/text.h"
#include "control/handshake/crypto.h"
#include "drivers/packet_pool.h"

namespace lwt::world {
namespace {

constexpr uint32_t kSmallBuffers = 16383;
constexpr uint32_t kJumboBuffers = 255;
// No step of time is shorter: what is due within it is done together.
constexpr uint64_t kGrainUs = 50;

void StartEal() {
  static const bool started = [] {
    const char* arguments[] = {
        "world", "--no-huge", "--no-shconf",    "-m",
        "256",   "--no-pci",  "--no-telemetry", "--log-level=error"};
    return rte_eal_init(std::size(arguments), const_cast<char**>(arguments)) >=
               0 &&
           handshake::InitCrypto();
  }();
  if (!started) std::abort();
}

rte_mempool* MakePool(const char* name, PacketPool::Kind kind, uint32_t count) {
  StartEal();
  auto pool = PacketPool::Create(name, kind, count);
  if (!pool.ok()) std::abort();
  static std::vector<PacketPool> kept;
  kept.push_back(*std::move(pool));
  return kept.back().get();
}

}  // namespace

rte_mempool* SmallBuffers() {
  static rte_mempool* const pool =
      MakePool("world", PacketPool::Kind::kSmall, kSmallBuffers);
  return pool;
}

rte_mempool* JumboBuffers() {
  static rte_mempool* const pool =
      MakePool("worldj", PacketPool::Kind::kJumbo, kJumboBuffers);
  return pool;
}

World::World(uint64_t seed, bool verbose, int log_fd)
    : topology_(now_us_),
      around_{
          now_us_, topology_.internet(), SmallBuffers(), JumboBuffers(),
          loop::Log(verbose ? loop::LogLevel::kDebug : loop::LogLevel::kError,
                    log_fd)},
      small_before_(rte_mempool_avail_count(SmallBuffers())),
      jumbo_before_(rte_mempool_avail_count(JumboBuffers())) {
  SeedRandom(seed);
}

HubGateway& World::AddHub(const GatewayOptions& options, uint32_t max_clients) {
  hubs_.push_back(std::make_unique<HubGateway>(around_, options, max_clients));
  return *hubs_.back();
}

ClientGateway& World::AddClient(const GatewayOptions& options) {
  GatewayOptions all = options;
  if (all.hubs.empty()) all.hubs = {hub().options().outer};
  clients_.push_back(std::make_unique<ClientGateway>(around_, all));
  return *clients_.back();
}

void World::KillHub(size_t hub) {
  killed_[hub] = hubs_[hub]->options();
  killed_[hub].identity = hubs_[hub]->identity();
  hubs_[hub].reset();
}

HubGateway& World::RestartHub(size_t hub, uint32_t max_clients) {
  hubs_[hub] = std::make_unique<HubGateway>(around_, killed_[hub], max_clients);
  return *hubs_[hub];
}

std::vector<Gateway*> World::gateways() const {
  std::vector<Gateway*> all;
  for (const auto& hub : hubs_) {
    if (hub != nullptr) all.push_back(hub.get());
  }
  for (const auto& client : clients_) all.push_back(client.get());
  return all;
}

void World::Turn() {
  topology_.RunDue();
  for (Gateway* gateway : gateways()) spun_ = !gateway->Turn() || spun_;
}

void World::Advance(uint64_t until_us) {
  Turn();
  uint64_t next = topology_.NextUs();
  for (Gateway* gateway : gateways()) {
    next = std::min(next, gateway->NextDeadline());
  }
  now_us_ = std::min(until_us, std::max(next, now_us_ + kGrainUs));
  Turn();
}

void World::Close() {
  for (const auto& client : clients_) client->Close();
  Turn();
  for (const auto& hub : hubs_) {
    if (hub != nullptr) hub->Close();
  }
}

std::string World::Leftovers() {
  std::string left;
  for (Gateway* gateway : gateways()) {
    const std::string of = gateway->Leftovers();
    if (!of.empty()) {
      left += config::Concat(ToString(gateway->options().outer.address),
                             " has ", of);
    }
  }
  const unsigned small = rte_mempool_avail_count(SmallBuffers());
  const unsigned jumbo = rte_mempool_avail_count(JumboBuffers());
  if (small != small_before_) {
    left += config::Concat(small_before_ - small, " small buffers, ");
  }
  if (jumbo != jumbo_before_) {
    left += config::Concat(jumbo_before_ - jumbo, " jumbo buffers, ");
  }
  return left;
}

}  // namespace lwt::world
