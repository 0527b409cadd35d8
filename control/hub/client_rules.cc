#include "control/hub/client_rules.h"

#include "control/handshake/static_key.h"

namespace lwt::peer {

using handshake::PublicKey;

namespace {

PeerTuning TuningBy(const config::PeerEntry& peer, uint64_t interleave_us) {
  PeerTuning tuning;
  if (peer.fec) tuning.fec = {peer.fec->mode, peer.fec->fixed, interleave_us};
  if (peer.rate) tuning.rate = peer.rate->bytes_per_s();
  if (peer.rate_in) tuning.rate_in = peer.rate_in->bytes_per_s();
  return tuning;
}

}  // namespace

ClientRules::ClientRules(const config::HubConfig& config,
                         uint64_t interleave_us)
    : isolates_all_(config.client_isolation), pool_(config.address_pool) {
  for (const config::PeerEntry& peer : config.peers) {
    const auto key = handshake::PublicKeyFromText(peer.public_key);
    if (!key.ok()) continue;
    rules_[*key] = {peer.name, peer.isolated, TuningBy(peer, interleave_us)};
    if (!peer.name.empty()) keys_[peer.name] = *key;
    for (const IpAddress& address : peer.addresses) reserved_[address] = *key;
  }
}

std::string_view ClientRules::NameOf(const PublicKey& key) const {
  const auto rule = rules_.find(key);
  return rule == rules_.end() ? std::string_view() : rule->second.name;
}

std::vector<PublicKey> ClientRules::Keys() const {
  std::vector<PublicKey> keys;
  for (const auto& [key, rule] : rules_) keys.push_back(key);
  return keys;
}

std::optional<PublicKey> ClientRules::KeyOf(std::string_view name) const {
  const auto key = keys_.find(name);
  if (key == keys_.end()) return std::nullopt;
  return key->second;
}

PeerTuning ClientRules::TuningOf(const PublicKey& key) const {
  const auto rule = rules_.find(key);
  return rule == rules_.end() ? PeerTuning() : rule->second.tuning;
}

bool ClientRules::IsIsolated(const PublicKey& key) const {
  const auto rule = rules_.find(key);
  return isolates_all_ || (rule != rules_.end() && rule->second.isolated);
}

}  // namespace lwt::peer
