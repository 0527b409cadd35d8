// The shared keys that a gateway knows: the one that it proves itself by, one
// that is to follow it, and those before, each for as long as it is good.
//
// A hub takes hellos by any of them; a client tries them in order. At most
// kMaxKeys, so what a hello costs is bounded. Owned by the gateway. Control
// thread. What is read of it is copied: a change may erase it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "drivers/secret_bytes.h"

namespace lwt::handshake {

class KeyRing {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;
  static constexpr size_t kMaxKeys = 3;

  enum class Place : uint8_t { kNow, kNext, kBefore };
  struct Key {
    SecretKey psk;
    SecretKey join_mask;  // of sessions that began by it
    Place place = Place::kNow;
    int64_t since_us = 0;  // that it is "before"; may be before the boot
  };

  // Without any: nobody comes in.
  KeyRing() = default;
  explicit KeyRing(const SecretKey& psk) { SetNow(psk, 0, 0); }

  // Makes `psk` the one that counts. The one until now is good for `grace_us`
  // more; where there is no room, the oldest goes.
  void SetNow(const SecretKey& psk, uint64_t now_us, uint64_t grace_us);
  // One that is taken already, and that nobody has to use yet.
  void SetNext(const SecretKey& psk);
  // One that was used before this run, from `since_us` on "before". Of a ring
  // with a key of now; nothing where there is no room.
  void AddBefore(const SecretKey& psk, int64_t since_us);
  void ForgetBefore(const SecretKey& psk);
  // Those before count as if they had just become that.
  void KeepBefore(uint64_t now_us);
  // Others before it is how long those before are good, since each began to be.
  void SetGrace(uint64_t grace_us) { grace_us_ = grace_us; }
  // Erases those whose time is over. How many.
  size_t Expire(uint64_t now_us);
  uint64_t NextExpiry() const;

  // In the order in which they are tried: now, next, before, the newest first.
  std::span<const Key> keys() const { return keys_; }
  bool IsNow(const SecretKey& psk) const {
    return !keys_.empty() && keys_.front().psk == psk;
  }
  // The one to follow, or the one of now where none is.
  bool IsNewest(const SecretKey& psk) const;

 private:
  void Forget(const SecretKey& psk);
  uint64_t ExpiryOf(const Key& key) const;

  std::vector<Key> keys_;
  uint64_t grace_us_ = 0;
};

}  // namespace lwt::handshake
