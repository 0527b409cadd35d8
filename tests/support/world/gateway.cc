#include "tests/support/world/gateway.h"

#include <algorithm>
#include <random>
#include <utility>

#include "control/base/text.h"
#include "control/handshake/lane_join.h"
#include "control/workers/mailbox_rings.h"
#include "dataplane/loop.h"
#include "drivers/headers.h"

namespace lwt::world {
namespace {

using config::Concat;

// Turns of the loop and of control that one moment may take.
constexpr int kMostTurns = 10'000;
constexpr size_t kArena = 1 << 20;
constexpr uint64_t kWaitingUs = 1000;
// Outer headers, the record's and the shard's: what a record takes of a frame.
constexpr uint16_t kIpv4Overhead = 1500 - 1409;
constexpr uint16_t kIpv6Overhead = 1500 - 1389;
constexpr uint16_t kFirstPort = 32768;

std::mt19937_64& Engine() {
  static std::mt19937_64 engine;
  return engine;
}

std::string UniqueName() {
  static int count = 0;
  return Concat("world", count++);
}

std::vector<std::unique_ptr<WorkerThread>> OneWorker(
    const Surroundings& around, const GatewayOptions& options,
    uint32_t max_lanes, Port* uplink, Port* tunnel) {
  WorkerOptions worker;
  worker.uplink = uplink;
  worker.tunnel = tunnel;
  worker.pool = around.small;
  worker.max_lanes = max_lanes;
  worker.arena_bytes = kArena;
  worker.answers_strays = true;
  worker.tuning.fec = options.fec;
  worker.tuning.rekey_records = options.rekey_records;
  WorldRandom(worker.flow_secret);
  std::vector<std::unique_ptr<WorkerThread>> workers;
  workers.push_back(std::make_unique<SteppedWorker>(
      std::make_unique<Worker>(worker, *Aead::Create(),
                               Mailbox::Create(UniqueName())),
      around.now_us));
  workers.front()->mailbox().AttachWorker(nullptr);
  return workers;
}

handshake::StaticKey MakeIdentity() {
  handshake::StaticKey identity;
  WorldRandom(identity.secret.bytes());
  identity.public_key = handshake::X25519Public(identity.secret.bytes());
  return identity;
}

handshake::SecretKey TheKey() {
  handshake::SecretKey key;
  std::fill(key.bytes().begin(), key.bytes().end(), uint8_t{7});
  return key;
}

}  // namespace

void SeedRandom(uint64_t seed) { Engine().seed(seed); }

void WorldRandom(std::span<uint8_t> out) {
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(Engine()());
}

void SteppedWorker::Step() {
  worker_->now_us = now_us_;
  RunLoopOnce(*worker_);
}

uint64_t SteppedWorker::NextDeadline() const {
  const uint64_t next = std::min(worker_->tcp.NextDeadline(),
                                 worker_->outbound.encoder.NextDeadline());
  return worker_->outbound.waiting_lanes.empty()
             ? next
             : std::min(next, now_us_ + kWaitingUs);
}

Gateway::Gateway(Surroundings& around, const GatewayOptions& options,
                 uint32_t max_lanes)
    : around_(around),
      options_(options),
      keys_(TheKey()),
      identity_(options.identity ? *options.identity : MakeIdentity()),
      network_(options.network == nullptr ? around.internet : *options.network),
      uplink_({.mtu = options.mtu,
               .segments = options.super_frames,
               .small = around.small,
               .jumbo = around.jumbo,
               .sent =
                   [this](Bytes bytes) {
                     network_.Send({std::move(bytes), false});
                   }}),
      tunnel_(
          {.link_header_size = 0,
           .mtu = options.mtu,
           .small = around.small,
           .jumbo = around.jumbo,
           .sent =
               [this](Bytes bytes) { inside_.push_back(std::move(bytes)); }}),
      workers_(OneWorker(around, options, max_lanes, &uplink_, &tunnel_)),
      link_(workers_),
      road_(link_, *this, max_lanes, 1),
      next_port_(options.outer.port) {
  for (const Endpoint& outer : Outers()) {
    network_.Attach(outer.address, this, options.delay_us);
  }
}

Gateway::~Gateway() {
  for (const Endpoint& outer : Outers()) network_.Detach(outer.address);
}

std::vector<Endpoint> Gateway::Outers() const {
  std::vector<Endpoint> all = {options_.outer};
  all.insert(all.end(), options_.also.begin(), options_.also.end());
  return all;
}

void Gateway::Arrive(Frame frame) { uplink_.Arrive(std::move(frame)); }

void Gateway::Drain() {
  Mailbox& mailbox = workers_.front()->mailbox();
  mailbox.Collect();
  peer::MailboxRings rings(mailbox);
  inbox_.Drain(rings, {0}, *this);
}

bool Gateway::Turn() {
  for (int turn = 0; turn < kMostTurns; ++turn) {
    stepped().Step();
    const bool worked = worker().worked;
    Drain();
    if (asked_) Answer(*std::exchange(asked_, std::nullopt));
    if (SessionDeadline() <= now()) RunTimers();
    road_.peers.Publish(now());
    if (!worked && uplink_.empty() && tunnel_.empty() && !asked_ &&
        !worker().mailbox->HasCommands()) {
      return true;
    }
  }
  return false;
}

uint64_t Gateway::NextDeadline() const {
  const auto& worker = static_cast<const SteppedWorker&>(*workers_.front());
  return std::min(
      {worker.NextDeadline(), SessionDeadline(), road_.peers.NextDeadline()});
}

std::string Gateway::Leftovers() {
  std::string left;
  const OuterTcp::Totals& totals = worker().tcp.totals();
  if (totals.proven != 0) left += Concat(totals.proven, " proven flows, ");
  if (totals.unproven != 0) left += Concat(totals.unproven, " flows, ");
  for (uint32_t i = 0; i < worker().lanes.size(); ++i) {
    if (worker().lanes[i].installed) left += "a lane, ";
  }
  if (!worker().outbound.waiting_lanes.empty()) left += "shards that wait, ";
  if (!worker().inbound.pieces.all().empty()) left += "pieces of records, ";
  if (worker().awaits_connects()) left += "connects, ";
  if (!followed_.empty()) left += "next hops, ";
  if (road_.owners.tokens() + road_.owners.flows() + road_.owners.lanes() > 0) {
    left += "owned flows, ";
  }
  return left;
}

std::string Gateway::Describe() {
  std::string text = Concat("\n", ToString(options_.outer.address), ":");
  for (uint32_t i = 0; i < worker().lanes.size(); ++i) {
    const session::Lane& lane = worker().lanes[i];
    if (!lane.installed) continue;
    const auto stats = worker().tcp.Stats(lane.flow);
    if (!stats) continue;
    text += Concat(
        "\n lane to ", ToString(stats->remote), ": rto ", stats->rto_us,
        " us, ", stats->bytes_in_flight, " B in flight, window ",
        stats->peer_window, ", sendable ", worker().tcp.Sendable(lane.flow),
        ", segments of ", worker().tcp.MaxPayload(lane.flow), " B, ",
        worker().tcp.SearchesLost(lane.flow), " larger ones lost, waiting ",
        worker().outbound.flow_queues.held({i}));
  }
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    const uint64_t count = worker().counters.drops[i].Get();
    if (count == 0) continue;
    text += Concat("\n ", NameOf(static_cast<DropReason>(i)), " ", count);
  }
  return text;
}

void Gateway::FollowNextHop(FlowId flow, const peer::FlowWay&) {
  followed_.push_back(flow);
}

void Gateway::ForgetNextHop(FlowId flow) { std::erase(followed_, flow); }

uint16_t Gateway::MaxInnerMtu(const Endpoint& remote) {
  const bool ipv4 = remote.address.family == Family::kIpv4;
  return static_cast<uint16_t>(options_.mtu -
                               (ipv4 ? kIpv4Overhead : kIpv6Overhead));
}

absl::StatusOr<Endpoint> Gateway::OpenLocal(const Endpoint& remote,
                                            const peer::PortWish& wish) {
  const auto outers = Outers();
  const auto outer =
      std::find_if(outers.begin(), outers.end(), [&](const Endpoint& own) {
        return own.address.family == remote.address.family;
      });
  if (outer == outers.end()) return absl::UnavailableError("no route");
  do {
    next_port_ = std::max(kFirstPort, static_cast<uint16_t>(next_port_ + 1));
  } while (!wish.IsMet(uint32_t{next_port_} + remote.port));
  locals_.push_back({outer->address, next_port_});
  return locals_.back();
}

void Gateway::CloseLocal(const Endpoint& local) { std::erase(locals_, local); }

std::optional<wire::LinkHeader> Gateway::LinkTo(const IpAddress& remote) {
  std::array<uint8_t, wire::kEthernetSize> header;
  const bool ipv4 = remote.family == Family::kIpv4;
  wire::WriteEthernet(header.data(), {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2},
                      ipv4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  return wire::LinkHeader::From(header);
}

}  // namespace lwt::world
