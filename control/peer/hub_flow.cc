#include "control/peer/hub_flow.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "control/config/text.h"
#include "dataplane/wire/record.h"

namespace lwt::peer {

using handshake::ByteVector;
using handshake::FirstFlight;
using handshake::FirstFlightKind;
using handshake::HubProgress;

void HubFlow::Open(const Context& context, FlowId flow, const Endpoint& local,
                   const Endpoint& remote, uint64_t now_us) {
  context_ = &context;
  state_ = State::kHello;
  flow_ = flow;
  local_ = local;
  remote_ = remote;
  deadline_us_ = now_us + kTimeoutUs;
}

void HubFlow::Free() {
  FreeHeld();
  hello_.reset();
  proven_.reset();
  flow_ = kNullFlow;
  state_ = State::kFree;
}

void HubFlow::FreeHeld() {
  for (size_t i = 0; i < held_count_; ++i) {
    context_->link.FreeFrame(held_[i].frame);
  }
  held_count_ = 0;
}

void HubFlow::Send(ByteVector bytes) {
  if (bytes.empty()) return;
  context_->link.Send(SendStreamCommand{flow_, std::move(bytes)});
}

void HubFlow::CloseFlow() {
  context_->link.Send(CloseFlowCommand{flow_});
  FreeHeld();
  proven_.reset();
  state_ = State::kOver;
}

bool HubFlow::TakenAsVisitor(uint64_t now_us) {
  if (context_->visitors == nullptr || proven_ != nullptr ||
      !context_->visitors->Take(flow_, std::span(held_).first(held_count_),
                                now_us)) {
    return false;
  }
  held_count_ = 0;
  state_ = State::kTaken;
  return true;
}

void HubFlow::Refuse(std::string_view why, uint64_t now_us) {
  if (TakenAsVisitor(now_us)) return;
  if (context_->refusals.Allow(now_us)) {
    context_->log.Info(ToString(remote_), " was turned away: ", why);
  }
  const auto& alert = handshake::kHandshakeFailureRecord;
  Send({alert.begin(), alert.end()});
  CloseFlow();
}

void HubFlow::Fail(std::string_view why, uint64_t now_us) {
  context_->limits.Failed(remote_.address, now_us);
  Refuse(why, now_us);
}

void HubFlow::OnStream(const PuntedStream& stream, uint64_t now_us) {
  if (state_ == State::kHello) {
    OnHelloBytes(stream, now_us);
  } else if (proven_ != nullptr) {
    OnProvenBytes(stream);
  } else {
    context_->link.FreeFrame(stream.frame);
  }
}

void HubFlow::OnHelloBytes(const PuntedStream& stream, uint64_t now_us) {
  if (!Hold(stream)) {
    context_->link.FreeFrame(stream.frame);
    return;
  }
  std::array<uint8_t, handshake::kMaxClientHello> bytes;
  size_t size = JoinHeld(bytes);
  if (size == 0) return;
  handshake::DoorLimits::Visit visit(context_->limits, remote_.address, now_us);
  Judge(context_->door.Inspect(std::span(bytes).first(size),
                               context_->host.UnixMs(), visit),
        now_us);
}

// Kept in the order of their offsets.
bool HubFlow::Hold(const PuntedStream& stream) {
  if (held_count_ == kHelloFrames) return false;
  size_t at = held_count_++;
  while (at > 0 && held_[at - 1].stream_offset > stream.stream_offset) {
    held_[at] = held_[at - 1];
    --at;
  }
  held_[at] = stream;
  return true;
}

size_t HubFlow::JoinHeld(std::span<uint8_t> out) const {
  size_t size = 0;
  for (size_t i = 0; i < held_count_; ++i) {
    const PuntedStream& frame = held_[i];
    if (frame.stream_offset > size) break;
    uint64_t skip = size - frame.stream_offset;
    if (skip >= frame.length) continue;
    size_t take = std::min<size_t>(frame.length - skip, out.size() - size);
    std::memcpy(out.data() + size, frame.data() + skip, take);
    size += take;
  }
  return size;
}

void HubFlow::Judge(FirstFlight flight, uint64_t now_us) {
  hello_size_ = flight.hello_size;
  switch (flight.kind) {
    case FirstFlightKind::kIncomplete:
      if (held_count_ == kHelloFrames) Fail("its hello never ends", now_us);
      return;
    case FirstFlightKind::kUnproven:
      if (flight.hello) {
        hello_ = flight.hello;
        state_ = State::kJoinAsked;
      } else {
        Fail("what it sent is no hello", now_us);
      }
      return;
    case FirstFlightKind::kTooMany:
      Refuse("there are too many hellos, and from its network", now_us);
      return;
    case FirstFlightKind::kReplay:
      Fail("it repeated an old hello", now_us);
      return;
    case FirstFlightKind::kClockOff:
      // Whoever repeats an old hello gets here too.
      if (context_->clocks.Allow(now_us)) {
        context_->log.Warn(ToString(remote_), ": key good, clock off by ",
                           flight.clock_off_ms / 1000,
                           " s; set the clock of that host");
      }
      Fail("its clock is off", now_us);
      return;
    case FirstFlightKind::kProven:
      break;
  }
  BeginProven(flight.hello_size);
  proven_->handshake = std::move(flight.handshake);
  state_ = State::kHandshake;
  ByteVector output;
  HubProgress progress =
      proven_->handshake->Start(&output, context_->host.MaxInnerMtu(remote_));
  Send(std::move(output));
  if (progress == HubProgress::kFailed) CloseFlow();
}

void HubFlow::BeginProven(size_t hello_size) {
  proven_ = std::make_unique<Proven>(context_->link);
  proven_->assembler.StartAt(hello_size);
  for (size_t i = 0; i < held_count_; ++i) proven_->assembler.Add(held_[i]);
  held_count_ = 0;
}

void HubFlow::OnProvenBytes(const PuntedStream& stream) {
  proven_->assembler.Add(stream);
  while (state_ == State::kHandshake ||
         (state_ == State::kJoinAnswered && proven_->records_at == 0)) {
    std::span<const uint8_t> bytes = proven_->assembler.Next();
    if (bytes.empty()) return;
    if (state_ == State::kHandshake) {
      FeedHandshake(bytes);
    } else {
      FeedJoin(bytes);
    }
  }
  if (state_ == State::kJoinAnswered) ReadFirstRecord();
}

void HubFlow::FeedHandshake(std::span<const uint8_t> bytes) {
  ByteVector output;
  HubProgress progress = proven_->handshake->Feed(bytes, &output);
  Send(std::move(output));
  if (progress == HubProgress::kFailed) {
    CloseFlow();
  } else if (progress == HubProgress::kAwaitVerdict) {
    proven_->records_at =
        proven_->assembler.position() - proven_->handshake->leftover().size();
    state_ = State::kAwaitVerdict;
  }
}

void HubFlow::SendVerdict(ByteVector bytes, bool accepted) {
  Send(std::move(bytes));
  if (!accepted) CloseFlow();
}

void HubFlow::AnswerJoin(uint64_t session_id, handshake::LaneJoinAnswer answer,
                         uint64_t now_us) {
  deadline_us_ = now_us + kJoinUs;
  BeginProven(hello_size_);
  proven_->session_id = session_id;
  proven_->joined = answer.lane;
  Send(std::move(answer.bytes));
  state_ = State::kJoinAnswered;
}

void HubFlow::FeedJoin(std::span<const uint8_t> bytes) {
  const auto& expected = handshake::kChangeCipherSpecRecord;
  ByteVector& ccs = proven_->ccs;
  size_t take = std::min(bytes.size(), expected.size() - ccs.size());
  ccs.insert(ccs.end(), bytes.begin(),
             bytes.begin() + static_cast<ptrdiff_t>(take));
  if (!std::equal(ccs.begin(), ccs.end(), expected.begin())) {
    CloseFlow();
    return;
  }
  if (ccs.size() < expected.size()) return;
  proven_->records_at = hello_size_ + expected.size();
}

void HubFlow::ReadFirstRecord() {
  ByteVector& first = proven_->first;
  first = proven_->assembler.Ahead(proven_->records_at, kMaxFirstRecord);
  if (first.size() < wire::kRecordFraming) return;
  const std::optional<size_t> size = wire::RecordSize(first);
  if (!size || *size > kMaxFirstRecord) {
    CloseFlow();
  } else if (first.size() >= *size) {
    first.resize(*size);
    state_ = State::kJoinSaid;
  }
}

bool HubFlow::Joins(uint64_t session_id, uint16_t lane_id) const {
  return (state_ == State::kJoinAnswered || state_ == State::kJoinSaid) &&
         proven_->session_id == session_id &&
         proven_->joined.lane_id == lane_id;
}

void HubFlow::HandOver() {
  proven_->assembler.Reinject(flow_, proven_->records_at);
  Free();
}

}  // namespace lwt::peer
