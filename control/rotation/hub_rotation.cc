#include "control/rotation/hub_rotation.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/handshake/psk.h"

namespace lwt::rotation {
namespace {

using config::Concat;
using handshake::KeyKept;
using handshake::PublicKey;
using Client = RotationState::Client;
using Before = RotationState::Before;

constexpr uint64_t kLookUs = 15'000'000;

constexpr uint64_t kSaveUs = 1'000'000;

uint64_t PutOff(uint64_t deadline_us, uint64_t now_us) {
  return now_us < deadline_us ? deadline_us : now_us + kSaveUs;
}

// A generated key is decoded, which does not take long.
std::optional<SecretKey> PskOf(const std::string& key) {
  absl::StatusOr<SecretKey> psk = handshake::DerivePsk(key, "");
  if (!psk.ok()) return std::nullopt;
  return *std::move(psk);
}

}  // namespace

HubRotation::HubRotation(Config config, std::string_view file)
    : config_(std::move(config)) {
  const uint64_t now_us = config_.now_us();
  if (config_.interval_us > 0) next_rotation_us_ = now_us + config_.interval_us;
  std::optional<RotationState> state = ParseRotation(file);
  if (!state) return;
  std::optional<SecretKey> psk = PskOf(state->key);
  if (!psk) return;
  const auto configured = [&](const SecretKey& key) {
    return config_.keys.IsNow(key);
  };
  const bool done = configured(*psk);
  const bool cut_short =
      std::any_of(state->before.begin(), state->before.end(),
                  [&](const Before& before) { return configured(before.psk); });
  // Of another key: the operator configured one since.
  if (!done && !cut_short) return;
  state_ = *std::move(state);
  psk_ = *std::move(psk);
  const auto unix_ms = static_cast<int64_t>(config_.unix_ms());
  config_.keys.SetNow(psk_, now_us, config_.grace_us);
  for (const Before& before : state_.before) {
    // One that somebody may need stays, as it did in the run before.
    const int64_t age_ms =
        Needers(before) > 0 ? 0
                            : unix_ms - static_cast<int64_t>(before.since_ms);
    config_.keys.ForgetBefore(before.psk);
    config_.keys.AddBefore(before.psk, static_cast<int64_t>(now_us) -
                                           std::max<int64_t>(age_ms, 0) * 1000);
  }
  // Of what is older than the run, kOverlapUs are over.
  began_us_ = now_us;
  next_look_us_ = now_us + kLookUs;
  if (!cut_short) return;
  // The hub's own key was not written down, or not where it is read from.
  writing_ = true;
  config_.keep(FormatRotation(state_), state_.key,
               [this](const absl::Status&) { writing_ = false; });
}

bool HubRotation::Stands() const {
  return !state_.key.empty() &&
         (config_.keys.IsNow(psk_) || config_.keys.IsNewest(psk_));
}

absl::Status HubRotation::MakeRoom(bool force) {
  gives_way_.reset();
  const auto& keys = config_.keys.keys();
  if (keys.size() < handshake::KeyRing::kMaxKeys) return absl::OkStatus();
  const SecretKey oldest = keys.back().psk;
  const auto before =
      std::find_if(state_.before.begin(), state_.before.end(),
                   [&](const Before& held) { return held.psk == oldest; });
  const size_t needers = before == state_.before.end() ? 0 : Needers(*before);
  if (needers > 0 && !force) {
    return absl::FailedPreconditionError(
        Concat(needers,
               " clients may still have only a shared key of before, and no "
               "more than three are taken; "
               "lwtctl rotate-key -force locks them out"));
  }
  gives_way_ = oldest;
  return absl::OkStatus();
}

absl::Status HubRotation::Begin(bool force) {
  if (writing_) {
    return absl::FailedPreconditionError("a rotation is just being written");
  }
  if (counts_at_us_ && Stands() && !force) {
    const std::optional<Progress> progress = GetProgress();
    return absl::FailedPreconditionError(
        Concat("the rotation before is not over: ", progress->have_it, " of ",
               progress->connected,
               " connected clients have the key; "
               "lwtctl rotate-key -force does not wait for the others"));
  }
  if (counts_at_us_) CountNow();
  if (!Stands()) {
    state_ = {};
    round_.reset();
  }
  absl::Status room = MakeRoom(force);
  if (!room.ok()) return room;
  RotationState next = state_;
  next.began_ms = std::max(config_.unix_ms(), state_.began_ms + 1);
  next.before.insert(next.before.begin(),
                     {config_.keys.keys().front().psk, next.began_ms});
  if (next.before.size() > RotationState::kMaxBefore) next.before.pop_back();
  next.key = handshake::GenerateKey();
  for (const PublicKey& client : config_.known()) {
    if (next.clients.size() >= RotationState::kMaxClients &&
        !next.clients.contains(client)) {
      continue;
    }
    next.clients[client].seen_ms = next.began_ms;
  }
  writing_ = true;
  std::string file = FormatRotation(next);
  std::string key = next.key;
  config_.keep(
      std::move(file), std::move(key),
      [this, next = std::move(next)](const absl::Status& status) mutable {
        OnWritten(std::move(next), status);
      });
  return absl::OkStatus();
}

// From here on no client is locked out, whatever happens to us.
void HubRotation::OnWritten(RotationState state, const absl::Status& status) {
  writing_ = false;
  if (!status.ok()) {
    config_.log(Concat("the shared key was not rotated: ", status.message()));
    return;
  }
  std::optional<SecretKey> psk = PskOf(state.key);
  if (!psk) return;
  // Who came, went or answered while it was written.
  for (const auto& [client, held] : state_.clients) {
    state.clients.insert_or_assign(client, held);
  }
  state_ = std::move(state);
  round_.reset();
  NoteKnown();
  psk_ = *std::move(psk);
  if (gives_way_) config_.keys.ForgetBefore(*gives_way_);
  SaveSoon();
  config_.keys.SetNext(psk_);
  began_us_ = config_.now_us();
  counts_at_us_ = began_us_ + kOfferUs;
  next_look_us_ = began_us_ + kLookUs;
  size_t deaf = 0;
  waiting_.clear();
  for (const auto& [client, understands] : here_) {
    NoteSeen(client);
    waiting_.insert(client);
    if (!understands) ++deaf;
    Offer(client);
  }
  config_.log(Concat("the shared key is rotated: ", here_.size(),
                     " connected clients are told",
                     deaf == 0 ? ""
                               : Concat("; of these ", deaf,
                                        " are of a version without rotation "
                                        "and need it by hand")));
  if (here_.empty()) CountNow();
}

void HubRotation::Offer(const PublicKey& client) const {
  const uint64_t grace_s = config_.grace_us / 1'000'000;
  config_.offer(client, {.grace_s = static_cast<uint32_t>(
                             std::min<uint64_t>(grace_s, UINT32_MAX)),
                         .key = state_.key});
}

bool HubRotation::HasIt(const PublicKey& client) const {
  const auto found = state_.clients.find(client);
  return found != state_.clients.end() &&
         found->second.kept_ms == state_.began_ms;
}

// Those with a tunnel address that the file has nothing of: a run ended before
// it was saved.
void HubRotation::NoteKnown() {
  for (const PublicKey& client : config_.known()) {
    if (!state_.clients.contains(client)) NoteSeen(client);
  }
}

// Where as many are remembered as a file may have, nobody is pushed out by who
// makes keys: nullptr for one more.
Client* HubRotation::NoteSeen(const PublicKey& client) {
  if (state_.clients.size() >= RotationState::kMaxClients &&
      !state_.clients.contains(client)) {
    return nullptr;
  }
  Client& held = state_.clients[client];
  held.seen_ms = config_.unix_ms();
  if (round_ && round_->after && client <= *round_->after) {
    round_->passed = true;
  }
  return &held;
}

void HubRotation::OnConnected(const PublicKey& client, const Arrival& arrival) {
  here_[client] = arrival.understands;
  if (!Stands()) return;
  Client* const held = NoteSeen(client);
  SaveSoon();
  // Who comes by it has it, but may have it in memory only: an answer may have
  // been lost, with its flow or with a run before.
  if (!arrival.newest_key || (!HasIt(client) && arrival.understands)) {
    Offer(client);
    return;
  }
  // By hand, where it can not tell.
  if (held == nullptr) return;
  if (held->kept_ms != state_.began_ms) {
    held->kept_ms = state_.began_ms;
    held->where = KeyKept::Where::kFile;
    held->proved = false;
  }
  if (!std::exchange(held->proved, true)) held->proved_us = config_.now_us();
}

void HubRotation::OnGone(const PublicKey& client) {
  here_.erase(client);
  if (!Stands()) return;
  NoteSeen(client);
  SaveSoon();
  DoneWaiting(client);
}

void HubRotation::DoneWaiting(const PublicKey& client) {
  waiting_.erase(client);
  if (counts_at_us_ && waiting_.empty()) CountNow();
}

void HubRotation::OnKept(const PublicKey& client, const KeyKept& message) {
  if (!Stands() || message.id != handshake::IdOfKey(state_.key)) return;
  if (Client* const held = NoteSeen(client)) {
    if (held->kept_ms != state_.began_ms) held->proved = false;
    held->kept_ms = state_.began_ms;
    held->where = message.where;
    SaveSoon();
  }
  DoneWaiting(client);
}

void HubRotation::CountNow() {
  counts_at_us_.reset();
  if (!Stands()) return;
  config_.keys.SetNow(psk_, config_.now_us(), config_.grace_us);
  const std::optional<Progress> progress = GetProgress();
  config_.log(Concat("the new shared key counts: ", progress->have_it, " of ",
                     progress->connected, " connected clients have it, ",
                     progress->away, " that are away may use the one before"));
}

std::string HubRotation::Refusal(const PublicKey& client) const {
  if (!Stands()) return "";
  const uint64_t now_us = config_.now_us();
  const std::string date = DateOf(state_.began_ms);
  const auto found = state_.clients.find(client);
  if (found == state_.clients.end()) {
    if (now_us < began_us_ + config_.overlap_us) return "";
    if (config_.knows(client)) return "";
    return Concat("the shared key was rotated on ", date,
                  ", and no client had this public key then: give it the key "
                  "that the hub has now");
  }
  const Client& held = found->second;
  const bool over = held.kept_ms == state_.began_ms &&
                    held.where != KeyKept::Where::kMemory && held.proved &&
                    now_us >= held.proved_us + config_.overlap_us;
  if (!over) return "";
  return Concat("the shared key was rotated on ", date,
                ", and this client has used the new one: it is in its "
                "settings, or in the file shared_key of its state directory");
}

bool HubRotation::MayNeed(const Client& client, const Before& before,
                          uint64_t unix_ms) const {
  const bool newer = client.kept_ms >= before.since_ms &&
                     client.where != KeyKept::Where::kMemory;
  return !newer && unix_ms < client.seen_ms + config_.grace_us / 1000;
}

size_t HubRotation::Needers(const Before& before) const {
  const uint64_t unix_ms = config_.unix_ms();
  return static_cast<size_t>(std::count_if(
      state_.clients.begin(), state_.clients.end(),
      [&](const auto& held) { return MayNeed(held.second, before, unix_ms); }));
}

// Of a state that counts for nothing no more is kept.
void HubRotation::BeginRound() {
  if (!Stands()) {
    state_ = {};
    next_look_us_ = save_at_us_ = UINT64_MAX;
    config_.save("");
    return;
  }
  const uint64_t now_us = config_.now_us();
  looks_ = now_us >= next_look_us_;
  if (looks_) {
    next_look_us_ = now_us + kLookUs;
    if (!std::exchange(noted_known_, true)) NoteKnown();
  }
  save_at_us_ = UINT64_MAX;
  round_ = Round{.needers = std::vector<size_t>(state_.before.size())};
}

void HubRotation::GoRound() {
  Round& round = *round_;
  const uint64_t unix_ms = config_.unix_ms();
  auto at = round.after ? state_.clients.upper_bound(*round.after)
                        : state_.clients.begin();
  for (size_t i = 0; i < kPortion && at != state_.clients.end(); ++i, ++at) {
    auto& [key, client] = *at;
    round.after = key;
    if (here_.contains(key)) client.seen_ms = unix_ms;
    for (size_t k = 0; k < round.needers.size(); ++k) {
      round.needers[k] += MayNeed(client, state_.before[k], unix_ms) ? 1 : 0;
    }
    round.lines += FormatClient(key, client);
  }
  if (at == state_.clients.end()) EndRound();
}

void HubRotation::EndRound() {
  const Round round = *std::exchange(round_, std::nullopt);
  // Who came back behind its place was not counted: the next look does.
  if (looks_ && !round.passed) LookAtKeys(round.needers);
  config_.save(FormatKeys(state_) + round.lines);
}

// Of the keys before, those stay that a client may need.
void HubRotation::LookAtKeys(const std::vector<size_t>& needers) {
  const uint64_t now_us = config_.now_us();
  bool needed = false;
  for (size_t k = needers.size(); k-- > 0;) {
    if (needers[k] > 0) {
      needed = true;
    } else if (now_us >= began_us_ + config_.overlap_us) {
      const auto before = state_.before.begin() + static_cast<ptrdiff_t>(k);
      config_.keys.ForgetBefore(before->psk);
      state_.before.erase(before);
    }
  }
  if (needed) {
    config_.keys.KeepBefore(now_us);
  } else if (state_.before.empty() && !counts_at_us_) {
    next_look_us_ = UINT64_MAX;
  }
}

void HubRotation::OnTimer() {
  const uint64_t now_us = config_.now_us();
  if (counts_at_us_ && now_us >= *counts_at_us_) CountNow();
  // What is being written is newer than what a save would put over it.
  if (writing_) {
    if (std::exchange(round_, std::nullopt)) SaveSoon();
    next_look_us_ = PutOff(next_look_us_, now_us);
    save_at_us_ = PutOff(save_at_us_, now_us);
  }
  if (!round_ && now_us >= std::min(next_look_us_, save_at_us_)) BeginRound();
  if (round_) GoRound();
  if (now_us < next_rotation_us_) return;
  next_rotation_us_ = now_us + config_.interval_us;
  const absl::Status begun = Begin(/*force=*/false);
  if (!begun.ok() && !put_off_) {
    config_.log(
        Concat("the rotation that is due is put off: ", begun.message()));
  }
  put_off_ = !begun.ok();
}

uint64_t HubRotation::NextDeadline() const {
  if (round_) return 0;
  return std::min({counts_at_us_.value_or(UINT64_MAX), next_look_us_,
                   save_at_us_, next_rotation_us_});
}

void HubRotation::SetTimes(uint64_t grace_us, uint64_t interval_us) {
  config_.grace_us = grace_us;
  if (interval_us == config_.interval_us) return;
  config_.interval_us = interval_us;
  next_rotation_us_ =
      interval_us == 0 ? UINT64_MAX : config_.now_us() + interval_us;
}

// Many clients answer at once, and each is a line of the file.
void HubRotation::SaveSoon() {
  save_at_us_ = std::min(save_at_us_, config_.now_us() + kSaveUs);
}

std::optional<HubRotation::Progress> HubRotation::GetProgress() const {
  if (!Stands()) return std::nullopt;
  Progress progress{.began_unix_ms = state_.began_ms};
  progress.connected = here_.size();
  for (const auto& [client, understands] : here_) {
    if (HasIt(client)) ++progress.have_it;
  }
  const uint64_t unix_ms = config_.unix_ms();
  for (const auto& [key, held] : state_.clients) {
    const auto needs = [&, &client = held](const Before& before) {
      return MayNeed(client, before, unix_ms);
    };
    if (!here_.contains(key) &&
        std::any_of(state_.before.begin(), state_.before.end(), needs)) {
      ++progress.away;
    }
  }
  return progress;
}

}  // namespace lwt::rotation
