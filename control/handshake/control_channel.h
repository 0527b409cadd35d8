// The reliable, ordered channel of control messages of one session.
//
// Sans-IO and bounded: at most kWindow messages unacknowledged on the wire,
// kMaxQueue waiting behind them, kWindow held ahead of a gap. Control thread.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "control/handshake/control_message.h"

namespace lwt::handshake {

class ControlChannel {
 public:
  static constexpr uint32_t kWindow = 8;
  static constexpr size_t kMaxQueue = 64;
  static constexpr uint64_t kFirstRepeatUs = 200'000;
  static constexpr uint64_t kMaxRepeatUs = 2'000'000;

  // Takes a message to deliver. False when the queue is full.
  bool Send(ControlType type, ByteVector body);

  // The content of one record to seal and send now, or nullopt. Call until
  // nullopt. An acknowledgement rides on a message where there is one.
  std::optional<ByteVector> Poll(uint64_t now_us);

  // When Poll() has something to say next; UINT64_MAX when never.
  uint64_t NextDeadline() const;

  // Takes the content of an opened control record. Appends to `delivered` what
  // is now in order, each message once. False for bytes that are no message.
  bool Receive(ByteSpan bytes, std::vector<ControlMessage>* delivered);

  // Nothing that was sent waits for its acknowledgement.
  bool AllAcknowledged() const { return outgoing_.empty(); }

 private:
  struct Outgoing {
    ControlMessage message;
    uint64_t due_us = 0;
    uint64_t repeat_us = kFirstRepeatUs;
  };

  bool Acknowledge(uint32_t sequence);

  std::deque<Outgoing> outgoing_;  // oldest unacknowledged first
  uint32_t next_sequence_ = 1;
  uint32_t received_ = 0;  // all up to this one have been delivered
  std::array<std::optional<ControlMessage>, kWindow> ahead_;
  bool ack_due_ = false;
};

}  // namespace lwt::handshake
