#include "tests/bench/crowded_hub.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <variant>

#include "control/handshake/lane_join.h"
#include "dataplane/wire/record.h"
#include "tests/bench/quiet_gate.h"

namespace lwt::bench {
namespace {

// A client that says nothing is probed by itself about so often.
constexpr uint64_t kKeepAliveUs = 23'000'000;
constexpr uint64_t kTurnUs = 100'000;

IpAddress Ipv4(uint8_t first, uint32_t number) {
  IpAddress address = IpAddress::Any(Family::kIpv4);
  address.bytes[0] = first;
  address.bytes[1] = static_cast<uint8_t>(number >> 16);
  address.bytes[2] = static_cast<uint8_t>(number >> 8);
  address.bytes[3] = static_cast<uint8_t>(number);
  return address;
}

// The cold half of what a control thread meets: others use its caches too.
void ForgetCaches() {
  static std::vector<uint8_t> other(size_t{8} << 20);
  for (size_t at = 0; at < other.size(); at += 64) ++other[at];
}

}  // namespace

void QuietWorker::Send(WorkerIndex, Command command) {
  if (auto* say = std::get_if<SendStreamCommand>(&command)) {
    auto& said = said_[say->flow.value];
    said.insert(said.end(), say->bytes.begin(), say->bytes.end());
  } else if (const auto* install = std::get_if<InstallLaneCommand>(&command)) {
    lanes_.push_back(install->lane.value);
    clients_.insert_or_assign(install->lane.value, handshake::ControlChannel());
  } else if (auto* record = std::get_if<SendRecordCommand>(&command)) {
    records_.push_back(std::move(*record));
  }
}

std::vector<PuntedRecord> QuietWorker::TakeAnswers(uint64_t now_us) {
  std::vector<PuntedRecord> answers;
  for (const SendRecordCommand& record : std::exchange(records_, {})) {
    if (record.kind != static_cast<uint8_t>(wire::RecordKind::kControl)) {
      continue;
    }
    handshake::ControlChannel& client = clients_.at(record.lane.value);
    std::vector<handshake::ControlMessage> delivered;
    const auto content = handshake::ParseControlRecord(record.bytes);
    if (!content || !client.Receive(*content, &delivered)) std::abort();
    while (const auto bytes = client.Poll(now_us)) {
      answers.push_back(
          {record.lane, record.kind, handshake::BuildControlRecord(*bytes, 0)});
    }
  }
  return answers;
}

std::vector<uint8_t> QuietWorker::Take(FlowId flow) {
  const auto found = said_.find(flow.value);
  if (found == said_.end()) return {};
  std::vector<uint8_t> said = std::move(found->second);
  said_.erase(found);
  return said;
}

CrowdedHub::CrowdedHub(uint32_t most)
    : road_(worker_, *this, peer::HubSessions::LanesFor(most), 1) {
  std::fill(psk_.bytes().begin(), psk_.bytes().end(), uint8_t{7});
  ring_ = handshake::KeyRing(psk_);
  identity_ = handshake::GenerateStaticKey();
  worker_.Resize(peer::HubSessions::LanesFor(most));
  handshake::HubConfig door;
  door.keys = &ring_;
  door.identity = &identity_;
  door.offer.mtu = 1409;
  door.offer.addresses = {{Ipv4(10, 1), 8}};
  door.offer.lanes = 1;
  peer::HubSessions::Config config{.road = road_,
                                   .host = *this,
                                   .door = door,
                                   .rekey = {},
                                   .max_clients = most};
  hub_ = std::make_unique<peer::HubSessions>(config, log_, now_us_);
}

void CrowdedHub::Turn() {
  working_ += CyclesOf([this] { hub_->OnTimer(now_us_); });
  publishing_ += CyclesOf([this] { road_.peers.Publish(now_us_); });
}

void CrowdedHub::Hear(FlowId flow, std::vector<uint8_t> bytes,
                      uint64_t offset) {
  const PuntedStream heard{flow, offset, std::move(bytes)};
  working_ += CyclesOf([&] { road_.owners.OnStream(heard, now_us_); });
}

void CrowdedHub::Join() {
  const uint32_t number = ++joined_;
  auto key =
      std::make_unique<handshake::StaticKey>(handshake::GenerateStaticKey());
  handshake::ClientConfig config;
  config.psk = &psk_;
  config.identity = key.get();
  config.offer.mtu = 1400;
  config.offer.addresses = {{Ipv4(10, 256 + number % 0xfff000), 8}};
  config.offer.lanes = 1;
  auto client = std::make_unique<handshake::ClientHandshake>(config);
  Event up;
  up.kind = EventKind::kFlowUp;
  up.flow = FlowId::Of(number % FlowId::kMaxSlots, number);
  up.local = {Ipv4(192, 1), 9000};
  up.remote = {Ipv4(100, number * 256), 40000};
  working_ += CyclesOf([&] { road_.owners.OnEvent({0}, up, now_us_); });
  const std::vector<uint8_t> hello = client->Start(UnixMs());
  Hear(up.flow, hello, 0);
  std::vector<uint8_t> proof;
  client->Feed(worker_.Take(up.flow), UnixMs(), &proof);
  if (proof.empty()) std::abort();
  Hear(up.flow, proof, hello.size());
  keys_.push_back(key->public_key);
  asking_.push_back({up.flow, std::move(key), std::move(client)});
}

void CrowdedHub::HearVerdicts() {
  std::erase_if(asking_, [this](Asking& asking) {
    const std::vector<uint8_t> verdict = worker_.Take(asking.flow);
    if (verdict.empty()) return false;
    std::vector<uint8_t> nothing;
    if (asking.client->Feed(verdict, UnixMs(), &nothing) !=
        handshake::ClientProgress::kDone) {
      std::abort();
    }
    return true;
  });
}

void CrowdedHub::HearAnswers() {
  for (const PuntedRecord& answer : worker_.TakeAnswers(now_us_)) {
    working_ += CyclesOf([&] { road_.owners.OnRecord({0}, answer, now_us_); });
  }
}

void CrowdedHub::Settle() {
  while (!asking_.empty()) Idle(kTurnUs);
}

void CrowdedHub::Forget(size_t count) {
  for (; count > 0 && !keys_.empty(); --count, keys_.pop_back()) {
    hub_->Forget(keys_.back(), now_us_);
  }
  road_.peers.PublishNow();
}

void CrowdedHub::KeepAlive() {
  const auto& lanes = worker_.lanes();
  if (lanes.empty()) return;
  const size_t due = lanes.size() * kTurnUs / kKeepAliveUs + 1;
  for (size_t i = 0; i < due; ++i) {
    worker_.Heard(lanes[next_alive_++ % lanes.size()], now_us_);
  }
}

void CrowdedHub::Idle(uint64_t for_us) {
  const uint64_t until_us = now_us_ + for_us;
  while (now_us_ < until_us) {
    if (now_us_ >= next_alive_us_) {
      next_alive_us_ = now_us_ + kTurnUs;
      KeepAlive();
      ForgetCaches();
    }
    Turn();
    HearVerdicts();
    HearAnswers();
    now_us_ = std::max(
        now_us_ + 1, std::min({hub_->NextDeadline(), road_.peers.NextDeadline(),
                               next_alive_us_, until_us}));
  }
}

}  // namespace lwt::bench
