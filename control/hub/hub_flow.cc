#include "control/hub/hub_flow.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "control/base/text.h"
#include "dataplane/wire/record.h"

namespace lwt::peer {

using handshake::ByteVector;
using handshake::FirstFlight;
using handshake::FirstFlightKind;
using handshake::HubProgress;
using loop::Cause;

void HubFlow::Open(const Context& context, const Event& up, uint64_t now_us) {
  context_ = &context;
  patience_ = Patience(up.value);
  state_ = State::kHello;
  flow_ = up.flow;
  leg_ = up.leg;
  local_ = up.local;
  remote_ = up.remote;
  deadline_us_ = now_us + kTimeoutUs;
  stream_.emplace(context.memory);
  looks_ = 0;
}

void HubFlow::Free() {
  stream_.reset();
  hello_.reset();
  proven_.reset();
  flow_ = kNullFlow;
  state_ = State::kFree;
}

void HubFlow::Send(ByteVector bytes) {
  if (bytes.empty()) return;
  context_->link.Send(SendStreamCommand{flow_, std::move(bytes)});
}

void HubFlow::CloseFlow() {
  context_->link.Send(CloseFlowCommand{flow_});
  stream_.reset();
  proven_.reset();
  state_ = State::kOver;
}

// `latest` came last, and perhaps was not kept whole.
bool HubFlow::TakenAsProber(uint64_t now_us, const PuntedStream* latest) {
  if (context_->probers == nullptr || proven_ != nullptr) return false;
  std::vector<PuntedStream> pieces = stream_->Pieces(flow_, 0);
  if (latest != nullptr) pieces.push_back(*latest);
  if (!context_->probers->Take(flow_, remote_, pieces, now_us)) return false;
  state_ = State::kTaken;
  return true;
}

void HubFlow::LogRefusal(std::string_view why) {
  context_->log.Tell(loop::LogLevel::kInfo, Cause::Stranger(remote_.address),
                     loop::EventKind::kPeerRefused, ToString(remote_),
                     " was turned away: ", why);
}

void HubFlow::Refuse(std::string_view why, uint64_t now_us,
                     const PuntedStream* latest) {
  if (TakenAsProber(now_us, latest)) return;
  LogRefusal(why);
  const auto& alert = handshake::kHandshakeFailureRecord;
  Send({alert.begin(), alert.end()});
  CloseFlow();
}

void HubFlow::Fail(std::string_view why, uint64_t now_us,
                   const PuntedStream* latest) {
  context_->limits.Failed(remote_.address, now_us);
  Refuse(why, now_us, latest);
}

void HubFlow::GiveUp(uint64_t now_us) {
  if (TakenAsProber(now_us, nullptr)) return;
  if (!stream_->empty()) {
    context_->limits.Failed(remote_.address, now_us);
    LogRefusal("its hello never came whole");
  }
  CloseFlow();
}

void HubFlow::OnStream(const PuntedStream& stream, uint64_t now_us) {
  if (state_ == State::kHello) {
    OnHelloBytes(stream, now_us);
  } else if (proven_ != nullptr) {
    OnProvenBytes(stream);
  }
}

// Bytes behind a hole that was never filled cost no try, so they are charged
// when they come: to leave the front out is the sender's choice.
void HubFlow::OnHelloBytes(const PuntedStream& stream, uint64_t now_us) {
  const bool first = stream_->empty();
  const bool kept = stream_->Add(stream, kHelloBytes);
  const std::span<const uint8_t> bytes = stream_->Peek();
  if (!bytes.empty()) {
    ++looks_;
    handshake::DoorLimits::Visit visit(context_->limits, remote_.address,
                                       now_us);
    Judge(context_->door.Inspect(bytes, context_->host.UnixMs(), visit), stream,
          now_us);
  } else if (first && !context_->limits.MayWait(remote_.address, now_us)) {
    Refuse("too many of its network send and do not begin", now_us, &stream);
  } else if (!kept) {
    Fail("it sends and does not begin", now_us, &stream);
  }
}

void HubFlow::Judge(FirstFlight flight, const PuntedStream& latest,
                    uint64_t now_us) {
  hello_size_ = flight.hello_size;
  switch (flight.kind) {
    case FirstFlightKind::kIncomplete:
      if (looks_ == kHelloLooks) Fail("its hello never ends", now_us);
      return;
    case FirstFlightKind::kUnproven:
      if (flight.hello) {
        hello_ = flight.hello;
        state_ = State::kJoinAsked;
      } else {
        Fail("what it sent is no hello", now_us, &latest);
      }
      return;
    case FirstFlightKind::kTooMany:
      Refuse(flight.old_key
                 ? "too many clients come at once with a shared key of before"
                 : "too many clients come at once, and from its network",
             now_us, &latest);
      return;
    case FirstFlightKind::kReplay:
      Fail("it repeated an old hello", now_us, &latest);
      return;
    case FirstFlightKind::kClockOff:
      // Whoever repeats an old hello gets here too.
      context_->log.Tell(
          loop::LogLevel::kWarn, Cause::Stranger(remote_.address),
          loop::EventKind::kPeerRefused, ToString(remote_),
          ": key good, clock off by ", flight.clock_off_ms / 1000,
          " s; set the clock of that host");
      Fail("its clock is off", now_us, &latest);
      return;
    case FirstFlightKind::kProven:
      break;
  }
  deadline_us_ = std::max(deadline_us_, now_us + patience_.ForExchange(0));
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
  proven_ = std::make_unique<Proven>();
  stream_->StartAt(hello_size);
}

void HubFlow::OnProvenBytes(const PuntedStream& stream) {
  stream_->Add(stream);
  while (state_ == State::kHandshake ||
         (state_ == State::kJoinAnswered && proven_->records_at == 0)) {
    std::span<const uint8_t> bytes = stream_->Next();
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
        stream_->position() - proven_->handshake->leftover().size();
    state_ = State::kAwaitVerdict;
  }
}

void HubFlow::SendVerdict(ByteVector bytes, bool accepted) {
  Send(std::move(bytes));
  if (!accepted) CloseFlow();
}

void HubFlow::AnswerJoin(uint64_t session_id, handshake::LaneJoinAnswer answer,
                         uint64_t now_us) {
  deadline_us_ = now_us + patience_.ForWord(kJoinUs);
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
  const std::span<const uint8_t> records = stream_->At(proven_->records_at);
  first.assign(records.begin(),
               records.begin() + static_cast<ptrdiff_t>(std::min(
                                     records.size(), kMaxFirstRecord)));
  if (first.size() < wire::kRecordFraming) return;
  const std::optional<size_t> size = wire::RecordSize(first);
  if (!size || *size > kMaxFirstRecord) {
    CloseFlow();
  } else if (first.size() >= *size) {
    first.resize(*size);
    state_ = State::kJoinSaid;
  }
}

bool HubFlow::Joins(uint64_t session_id, handshake::LaneId lane_id) const {
  return (state_ == State::kJoinAnswered || state_ == State::kJoinSaid) &&
         proven_->session_id == session_id &&
         proven_->joined.lane_id == lane_id;
}

void HubFlow::HandOver() {
  stream_->Reinject(context_->link, flow_, proven_->records_at);
  Free();
}

}  // namespace lwt::peer
