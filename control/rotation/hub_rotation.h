// The rotation of the shared key by a hub: makes a new one, has each client
// keep it, and refuses the one before to whoever needs it no more.
//
// The hub writes the new key down before the first client hears of it, and from
// then on takes both. A client answers once it has kept the key, and where. The
// one before is refused
//  - to a client that kept the new one on disk and proved it in a handshake,
//    kOverlapUs after that;
//  - to a key that no client had when the rotation began, kOverlapUs after it;
//  - to all when key_grace is over since the last of those that may need it was
//    connected, or when none is left that may.
// A leaked key is a reason to rotate, and the one that leaked it must not be
// locked out by whoever has it now: it is told by its static key.
//
// Sans-IO. Owned by HubSide. Control thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "control/handshake/key_ring.h"
#include "control/handshake/messages.h"
#include "control/rotation/rotation_file.h"

namespace lwt::rotation {

class HubRotation {
 public:
  static constexpr uint64_t kOverlapUs = 15'000'000;
  // How long the key before is the one that counts while clients hear of the
  // new one.
  static constexpr uint64_t kOfferUs = 60'000'000;

  // Of what is remembered of clients no turn looks at more.
  static constexpr size_t kPortion = 256;

  // All are called on the control thread, and outlive the rotation.
  struct Config {
    handshake::KeyRing& keys;
    uint64_t grace_us = 0;
    uint64_t interval_us = 0;  // 0: only when asked for
    uint64_t overlap_us = kOverlapUs;
    // Writes the rotation file, then keeps the key as the hub's own. Takes its
    // time, and then calls `done`; an error: the file could not be written.
    std::function<void(std::string file, std::string key,
                       std::function<void(const absl::Status&)> done)>
        keep;
    // Writes the rotation file again, some time.
    std::function<void(std::string file)> save;
    // The clients that have a tunnel address, connected or not: all of them,
    // asked when a rotation begins, and whether one of them is.
    std::function<std::vector<handshake::PublicKey>()> known;
    std::function<bool(const handshake::PublicKey&)> knows;
    std::function<void(const handshake::PublicKey& client,
                       const handshake::NewKey& message)>
        offer;
    // Sentences for the operator.
    std::function<void(const std::string&)> log;
    std::function<uint64_t()> unix_ms;
    std::function<uint64_t()> now_us;
  };

  // `file` is what a run before left; empty: nothing. The ring has the key that
  // is configured, and gets those that the file adds.
  HubRotation(Config config, std::string_view file);

  // Makes another key and begins to give it out. FailedPrecondition, with what
  // it waits for, where a client would be locked out; `force` goes on.
  absl::Status Begin(bool force);

  // How a client came in.
  struct Arrival {
    bool newest_key = false;   // by that one
    bool understands = false;  // what it is told of another
  };
  // A client is connected, and is told of the newest key.
  void OnConnected(const handshake::PublicKey& client, const Arrival& arrival);
  void OnGone(const handshake::PublicKey& client);
  void OnKept(const handshake::PublicKey& client,
              const handshake::KeyKept& message);
  // Why a client may not come in by a key that is not the newest; empty: it
  // may.
  std::string Refusal(const handshake::PublicKey& client) const;

  void OnTimer();
  uint64_t NextDeadline() const;
  void SetTimes(uint64_t grace_us, uint64_t interval_us);

  struct Progress {
    uint64_t began_unix_ms = 0;
    size_t connected = 0;
    size_t have_it = 0;  // of those
    size_t away = 0;     // may come back by a key before
  };
  // Nothing: the key was never rotated.
  std::optional<Progress> GetProgress() const;
  // The next key is being written down; nobody has heard of it.
  bool writing() const { return writing_; }

 private:
  bool Stands() const;  // the ring has the key that we gave out
  void Offer(const handshake::PublicKey& client) const;
  void OnWritten(RotationState state, const absl::Status& status);
  void CountNow();
  // What all that is remembered of clients is gone through for, in portions.
  struct Round {
    std::optional<handshake::PublicKey> after;  // the last one looked at
    std::string lines;                          // of those, for the file
    std::vector<size_t> needers;                // of each key before
    bool passed = false;  // one was seen that it had looked at already
  };
  void BeginRound();
  void GoRound();
  void EndRound();
  void LookAtKeys(const std::vector<size_t>& needers);
  bool HasIt(const handshake::PublicKey& client) const;
  void NoteKnown();
  bool MayNeed(const RotationState::Client& client,
               const RotationState::Before& before, uint64_t unix_ms) const;
  size_t Needers(const RotationState::Before& before) const;
  absl::Status MakeRoom(bool force);
  void SaveSoon();
  void DoneWaiting(const handshake::PublicKey& client);
  RotationState::Client* NoteSeen(const handshake::PublicKey& client);

  Config config_;
  RotationState state_;
  SecretKey psk_;  // of state_.key
  bool writing_ = false;
  // The oldest key, which goes when the one that is being written is there.
  std::optional<SecretKey> gives_way_;
  std::optional<uint64_t> counts_at_us_;  // the new key, at the latest
  uint64_t began_us_ = 0;
  // Connected clients that have yet to keep the key.
  std::set<handshake::PublicKey> waiting_;
  // Those that are connected, and whether they understand a new key.
  std::map<handshake::PublicKey, bool> here_;
  std::optional<Round> round_;
  bool looks_ = false;  // the round is one of next_look_us_
  bool noted_known_ = false;
  uint64_t next_look_us_ = UINT64_MAX;
  uint64_t save_at_us_ = UINT64_MAX;
  uint64_t next_rotation_us_ = UINT64_MAX;
  bool put_off_ = false;  // and that was said
};

}  // namespace lwt::rotation
