#include "control/handshake/key_ring.h"

#include <algorithm>

#include "control/handshake/lane_keys.h"

namespace lwt::handshake {
namespace {

KeyRing::Key MakeRingKey(const SecretKey& psk, KeyRing::Place place) {
  return {.psk = psk, .join_mask = DeriveJoinMaskKey(psk), .place = place};
}

}  // namespace

void KeyRing::Forget(const SecretKey& psk) {
  std::erase_if(keys_, [&](const Key& key) { return key.psk == psk; });
}

void KeyRing::SetNow(const SecretKey& psk, uint64_t now_us, uint64_t grace_us) {
  grace_us_ = grace_us;
  if (IsNow(psk)) return;
  Forget(psk);
  const bool had_one = !keys_.empty() && keys_.front().place == Place::kNow;
  if (had_one) {
    Key before = keys_.front();
    before.place = Place::kBefore;
    before.since_us = static_cast<int64_t>(now_us);
    keys_.erase(keys_.begin());
    const auto at = std::find_if(
        keys_.begin(), keys_.end(),
        [](const Key& key) { return key.place == Place::kBefore; });
    keys_.insert(at, std::move(before));
  }
  keys_.insert(keys_.begin(), MakeRingKey(psk, Place::kNow));
  if (keys_.size() > kMaxKeys) keys_.pop_back();
  Expire(now_us);
}

void KeyRing::SetNext(const SecretKey& psk) {
  if (keys_.empty() || IsNow(psk)) return;
  Forget(psk);
  std::erase_if(keys_,
                [](const Key& key) { return key.place == Place::kNext; });
  keys_.insert(keys_.begin() + 1, MakeRingKey(psk, Place::kNext));
  if (keys_.size() > kMaxKeys) keys_.pop_back();
}

void KeyRing::AddBefore(const SecretKey& psk, int64_t since_us) {
  if (keys_.empty() || keys_.size() >= kMaxKeys) return;
  if (std::any_of(keys_.begin(), keys_.end(),
                  [&](const Key& key) { return key.psk == psk; })) {
    return;
  }
  Key before = MakeRingKey(psk, Place::kBefore);
  before.since_us = since_us;
  keys_.push_back(std::move(before));
}

void KeyRing::ForgetBefore(const SecretKey& psk) {
  std::erase_if(keys_, [&](const Key& key) {
    return key.place == Place::kBefore && key.psk == psk;
  });
}

void KeyRing::KeepBefore(uint64_t now_us) {
  for (Key& key : keys_) {
    if (key.place == Place::kBefore) {
      key.since_us = static_cast<int64_t>(now_us);
    }
  }
}

bool KeyRing::IsNewest(const SecretKey& psk) const {
  if (keys_.empty()) return false;
  const bool follows = keys_.size() > 1 && keys_[1].place == Place::kNext;
  return keys_[follows ? 1 : 0].psk == psk;
}

uint64_t KeyRing::ExpiryOf(const Key& key) const {
  if (key.place != Place::kBefore) return kNever;
  const int64_t expiry = key.since_us + static_cast<int64_t>(grace_us_);
  return static_cast<uint64_t>(std::max<int64_t>(expiry, 0));
}

size_t KeyRing::Expire(uint64_t now_us) {
  return std::erase_if(keys_,
                       [&](const Key& key) { return ExpiryOf(key) <= now_us; });
}

uint64_t KeyRing::NextExpiry() const {
  uint64_t next = kNever;
  for (const Key& key : keys_) next = std::min(next, ExpiryOf(key));
  return next;
}

}  // namespace lwt::handshake
