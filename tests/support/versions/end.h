// One side of the conversation of conversation.h: a real handshake, control
// channel, re-key and lanes, without flows and workers. Keys, randomness and
// clock are fixed, so that what it says is the same each time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/handshake/client_handshake.h"
#include "control/handshake/control_channel.h"
#include "control/handshake/hub_handshake.h"
#include "control/handshake/key_ring.h"
#include "control/handshake/lane_join.h"
#include "control/handshake/messages.h"
#include "control/handshake/rekey.h"
#include "dataplane/lane/lane.h"
#include "dataplane/wire/record.h"
#include "drivers/aead.h"

namespace lwt::versions {

using handshake::ByteSpan;
using handshake::ByteVector;

inline constexpr uint64_t kUnixMs = 1'700'000'000'000;
inline constexpr uint64_t kBeganUs = 1'000'000;

class End {
 public:
  virtual ~End() = default;

  // What it says in a step, or takes of the other side in one. False where
  // that is not understood, or means something else than it ought to.
  virtual ByteVector Say(std::string_view step) = 0;
  virtual bool Hear(std::string_view step, ByteSpan bytes) = 0;

 protected:
  struct Lane {
    handshake::LaneId id;
    handshake::LaneNonces nonces;
    session::SendHalf send;
    session::ReceiveHalf receive;
  };
  struct Opened {
    wire::RecordKind kind = wire::RecordKind::kData;
    ByteVector content;
  };

  End(handshake::RekeyRole role, std::string version, uint32_t features,
      handshake::RandomSource random);

  // The session exists.
  void Begin(handshake::SessionSecrets secrets);
  void AddLane(handshake::LaneId id, const handshake::LaneNonces& nonces,
               uint32_t made_in);
  handshake::KeyPair JoinKeys() const { return secrets_.join_keys; }

  ByteVector SayInSession(std::string_view step);
  bool HearInSession(std::string_view step, ByteSpan bytes);

  const handshake::RekeyRole role_;
  const std::string version_;
  const uint32_t features_;
  const handshake::RandomSource random_;
  handshake::SecretKey psk_;
  handshake::StaticKey identity_;
  handshake::SessionSecrets secrets_;

 private:
  ByteVector Seal(Lane& lane, wire::RecordKind kind, ByteSpan content);
  std::optional<Opened> Open(Lane& lane, ByteSpan record);
  void InstallReceive(Lane& lane, uint32_t epoch);
  void SwitchSend(Lane& lane, uint32_t epoch);
  void Carry(std::vector<handshake::RekeyAction>& actions);
  ByteVector SayControl(std::string_view step);
  bool HearControl(std::string_view step, ByteSpan content);
  // Of who sends, or of whom is sent to.
  const handshake::SecretKey& RootOf(const handshake::KeyPair& roots,
                                     bool own) const;

  const Aead aead_ = *Aead::Create();
  handshake::ControlChannel channel_;
  std::optional<handshake::Rekey> rekey_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

class ClientEnd : public End {
 public:
  ClientEnd(std::string version, uint32_t features);
  ByteVector Say(std::string_view step) override;
  bool Hear(std::string_view step, ByteSpan bytes) override;

 private:
  handshake::ClientConfig config_;
  std::optional<handshake::ClientHandshake> handshake_;
  ByteVector third_;
  handshake::LaneJoinRequest join_;
};

class HubEnd : public End, private handshake::DoorKeeper {
 public:
  HubEnd(std::string version, uint32_t features);
  ByteVector Say(std::string_view step) override;
  bool Hear(std::string_view step, ByteSpan bytes) override;

 private:
  bool MayTry() override { return true; }
  bool MayEnter(bool) override { return true; }

  handshake::KeyRing keys_;
  handshake::HubConfig config_;
  std::optional<handshake::HubDoor> door_;
  std::optional<handshake::HubHandshake> handshake_;
  handshake::HelloFields join_hello_;
  std::optional<handshake::LaneJoinBlob> join_;
};

}  // namespace lwt::versions
