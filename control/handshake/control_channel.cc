#include "control/handshake/control_channel.h"

#include <algorithm>

namespace lwt::handshake {

bool ControlChannel::Send(ControlType type, ByteVector body) {
  if (outgoing_.size() >= kMaxQueue || body.size() > kMaxControlBody) {
    return false;
  }
  Outgoing entry;
  entry.message.sequence = next_sequence_++;
  entry.message.type = type;
  entry.message.body = std::move(body);
  outgoing_.push_back(std::move(entry));
  return true;
}

std::optional<ByteVector> ControlChannel::Poll(uint64_t now_us) {
  const size_t window = std::min<size_t>(kWindow, outgoing_.size());
  for (size_t i = 0; i < window; ++i) {
    Outgoing& entry = outgoing_[i];
    if (entry.due_us > now_us) continue;
    entry.due_us = now_us + entry.repeat_us;
    entry.repeat_us = std::min(2 * entry.repeat_us, kMaxRepeatUs);
    entry.message.acknowledged = received_;
    ack_due_ = false;
    return BuildControlMessage(entry.message);
  }
  if (!ack_due_) return std::nullopt;
  ack_due_ = false;
  return BuildControlMessage({.acknowledged = received_});
}

uint64_t ControlChannel::NextDeadline() const {
  if (ack_due_) return 0;
  uint64_t deadline = UINT64_MAX;
  const size_t window = std::min<size_t>(kWindow, outgoing_.size());
  for (size_t i = 0; i < window; ++i) {
    deadline = std::min(deadline, outgoing_[i].due_us);
  }
  return deadline;
}

bool ControlChannel::Receive(ByteSpan bytes,
                             std::vector<ControlMessage>* delivered) {
  std::optional<ControlMessage> message = ParseControlMessage(bytes);
  if (!message || !Acknowledge(message->acknowledged)) return false;
  if (message->sequence == 0) return true;
  // Anything numbered is answered, a repeat too: its acknowledgement was lost.
  ack_due_ = true;
  const uint32_t ahead = message->sequence - received_;
  if (ahead == 0 || ahead > kWindow) return true;
  const uint32_t slot = message->sequence % kWindow;
  ahead_[slot] = std::move(message);
  for (;;) {
    std::optional<ControlMessage>& next = ahead_[(received_ + 1) % kWindow];
    if (!next || next->sequence != received_ + 1) return true;
    delivered->push_back(std::move(*next));
    next.reset();
    ++received_;
  }
}

bool ControlChannel::Acknowledge(uint32_t sequence) {
  // Beyond what was put on the wire, nothing can have arrived.
  if (static_cast<int32_t>(sequence - next_sequence_) >= 0) return false;
  while (!outgoing_.empty() &&
         static_cast<int32_t>(outgoing_.front().message.sequence - sequence) <=
             0) {
    outgoing_.pop_front();
  }
  return true;
}

}  // namespace lwt::handshake
