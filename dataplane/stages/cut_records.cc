// Cuts a stream's bytes into records, in whatever segments they come.
#include "dataplane/stages/cut_records.h"

#include <rte_memcpy.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "dataplane/lane/sealing.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

using Piece = CutPieces::Piece;
using Start = CutPieces::Start;

std::span<const uint8_t> BytesOf(const Frame& stream) {
  return {stream.data, stream.length};
}

void Advance(Frame& stream, uint32_t count) {
  stream.data += count;
  stream.length -= count;
  stream.stream_offset += count;
}

bool HasRoom(const Frame& held, size_t record_size) {
  const auto before = static_cast<size_t>(
      held.data - static_cast<uint8_t*>(held.mbuf->buf_addr));
  return before + record_size <= held.mbuf->buf_len;
}

void DropPiece(Worker& worker, const Piece& piece) {
  worker.ledger.Made();
  worker.Drop(piece.frame, piece.start == Start::kUnknown
                               ? DropReason::kNoRecord
                               : DropReason::kRecordCut);
}

// Cuts whole records off the front, as many as there is room for. Each takes a
// reference, all counted at once; the last of a stream takes the stream's own.
uint16_t CutWhole(Worker& worker, Frame& stream, RecordBurst& records) {
  uint16_t cut = 0;
  while (stream.length > 0 && !records.full()) {
    const auto size = wire::RecordSize(BytesOf(stream));
    if (!size || *size > stream.length) break;
    records.Push(stream);
    records.frames().back().length = static_cast<uint32_t>(*size);
    Advance(stream, static_cast<uint32_t>(*size));
    ++cut;
  }
  if (cut == 0) return 0;
  worker.inbound.pieces.SetBoundary(stream.lane, stream.stream_offset);
  const int more = stream.length > 0 ? cut : cut - 1;
  worker.ledger.Made(static_cast<size_t>(more));
  if (more > 0) {
    rte_mbuf_refcnt_update(stream.mbuf, static_cast<int16_t>(more));
  }
  return cut;
}

// All that follows is for streams that were cut or have holes. One object lives
// as long as the work on one segment and on the pieces that it completes.
class Joiner {
 public:
  Joiner(Worker& worker, LaneIndex lane, RecordBurst& records)
      : worker_(worker),
        pieces_(worker.inbound.pieces),
        lane_(lane),
        records_(records) {}

  void Run(Frame stream, bool known);
  // Gives up what is too old, and what `stream` holds whole.
  void MakeWay(const Frame& stream);

 private:
  // What is to be worked on next: the rest of a piece, or nothing.
  struct Next {
    Frame stream;
    bool known = false;
    bool failed_guess = false;
  };

  // Of a piece that is worked on from here on.
  Frame TakeOut(Piece& piece) {
    worker_.ledger.Made();
    return pieces_.Take(piece);
  }
  // Of a stream that nothing is left of.
  void UseUp(const Frame& stream) {
    worker_.ledger.Gone();
    rte_pktmbuf_free(stream.mbuf);
  }
  bool Work(Frame& stream, bool known, bool failed_guess);
  bool Join(Frame& stream);
  bool IsWithin(const Piece& piece, uint64_t begin, uint64_t end) const;
  void DropHeld(uint64_t begin, uint64_t end);
  bool CutFront(Frame& stream, bool known, bool failed_guess);
  bool Search(Frame& stream, uint32_t from);
  bool Extend(const Frame& stream, uint32_t from, uint32_t to);
  void Keep(const Frame& stream, uint32_t from, uint32_t to, Start start);
  std::optional<Next> TakeNext();
  std::optional<Next> Follow();
  std::optional<Next> TryGuesses();
  enum class Verdict : uint8_t { kWaits, kRight, kWrong };
  Verdict TryGuess(Piece& guess);
  Verdict TryWhole(Piece& guess);
  uint64_t HeldTo(uint64_t offset);
  void NoteGrown(uint64_t begin, uint64_t end);
  bool HasGrown(uint64_t offset) const;
  bool Prove(std::span<uint8_t> copy);

  Worker& worker_;
  CutPieces& pieces_;
  const LaneIndex lane_;
  RecordBurst& records_;
  int candidates_ = 0;
  int tries_ = 0;
  // What was kept of this segment: only guesses that end there have changed.
  // More than there is room for become one.
  struct Grown {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  std::array<Grown, 16> grown_;
  size_t grown_count_ = 0;
  // The answer of the last HeldTo: guesses behind one another ask the same.
  Grown walked_;
  // How far a record that begins or ends here has come: what is held of that
  // place comes next.
  std::optional<uint64_t> reach_;
};

void Joiner::MakeWay(const Frame& stream) {
  const uint64_t begin = stream.stream_offset;
  const uint64_t end = begin + stream.length;
  const uint64_t now = worker_.now_us;
  const uint64_t oldest = now - std::min(now, CutPieces::kMaxAgeUs);
  const auto is_old = [&](const Piece& piece) {
    return piece.since_us < oldest;
  };
  pieces_.RemoveIf(
      [&](const Piece& piece) {
        return is_old(piece) || IsWithin(piece, begin, end);
      },
      [&](const Piece& piece) {
        if (is_old(piece)) return DropPiece(worker_, piece);
        worker_.ledger.Made();
        worker_.Drop(piece.frame, DropReason::kDuplicatePart);
      });
}

bool Joiner::IsWithin(const Piece& piece, uint64_t begin, uint64_t end) const {
  return piece.begin() >= begin && piece.end() <= end &&
         piece.frame.lane == lane_;
}

// Drops what is held of these bytes and of no other.
void Joiner::DropHeld(uint64_t begin, uint64_t end) {
  pieces_.RemoveIf(
      [&](const Piece& piece) { return IsWithin(piece, begin, end); },
      [&](const Piece& piece) {
        worker_.ledger.Made();
        worker_.Drop(piece.frame, DropReason::kDuplicatePart);
      });
}

// Puts [from, to) of the stream behind the piece that ends there, where that
// has room.
bool Joiner::Extend(const Frame& stream, uint32_t from, uint32_t to) {
  Piece* piece = pieces_.FindEnding(lane_, stream.stream_offset + from);
  if (piece == nullptr) return false;
  Frame& held = piece->frame;
  if (!HasRoom(held, size_t{held.length} + to - from)) return false;
  rte_memcpy(held.data + held.length, stream.data + from, to - from);
  held.length += to - from;
  NoteGrown(stream.stream_offset + from, stream.stream_offset + to);
  return true;
}

// Copies [from, to) of the stream into a buffer of its own, so that a merged
// frame's is not held with it. The stream's reference stays.
void Joiner::Keep(const Frame& stream, uint32_t from, uint32_t to,
                  Start start) {
  if (from == to) return;
  if (start == Start::kUnknown && Extend(stream, from, to)) return;
  rte_mbuf* copy = rte_pktmbuf_alloc(worker_.options.pool);
  if (copy == nullptr) return worker_.counters.Drop(DropReason::kPoolEmpty);
  Piece piece{stream, start, worker_.now_us};
  piece.frame.mbuf = copy;
  piece.frame.data = rte_pktmbuf_mtod(copy, uint8_t*);
  piece.frame.length = to - from;
  piece.frame.stream_offset += from;
  if (!HasRoom(piece.frame, to - from)) {
    rte_pktmbuf_free(copy);
    return worker_.counters.Drop(DropReason::kRecordCut);
  }
  rte_memcpy(piece.frame.data, stream.data + from, to - from);
  if (pieces_.full()) {
    Piece& given_up = pieces_.ToGiveUp();
    DropPiece(worker_, given_up);
    pieces_.Take(given_up);
  }
  pieces_.Add(piece);
  NoteGrown(piece.begin(), piece.end());
}

// Continues the record that `stream` stands behind, if there is one. True when
// it is done with, so that another begins at the front of what is left.
bool Joiner::Join(Frame& stream) {
  Piece* head = pieces_.FindHead(lane_, stream.stream_offset);
  if (head == nullptr) return false;
  Advance(stream, std::min<uint32_t>(stream.length,
                                     static_cast<uint32_t>(
                                         head->end() - stream.stream_offset)));
  reach_ = head->end();
  if (stream.length == 0) {
    worker_.counters.Drop(DropReason::kDuplicatePart);
    return false;
  }
  Frame& held = head->frame;
  const auto take = [&](size_t up_to) {
    const auto count = static_cast<uint32_t>(
        std::min<size_t>(up_to - held.length, stream.length));
    rte_memcpy(held.data + held.length, stream.data, count);
    held.length += count;
    NoteGrown(stream.stream_offset, stream.stream_offset + count);
    Advance(stream, count);
  };
  if (held.length < wire::kRecordFraming) take(wire::kRecordFraming);
  reach_ = head->end();
  if (held.length < wire::kRecordFraming) return false;
  const auto size = wire::RecordSize(BytesOf(held));
  if (!size || !HasRoom(held, *size)) {
    DropPiece(worker_, *head);
    pieces_.Take(*head);
    return false;
  }
  take(*size);
  reach_ = head->end();
  if (held.length < *size) return false;
  const Frame whole = TakeOut(*head);
  records_.Push(whole);
  worker_.counters.records_joined.Add(1);
  pieces_.SetBoundary(lane_, *reach_);
  DropHeld(whole.stream_offset, *reach_);
  return true;
}

bool Joiner::Prove(std::span<uint8_t> copy) {
  return session::ProveRecord(worker_.aead, worker_.lanes[lane_.value].receive,
                              copy);
}

// Looks for the start of a record from `from` on. True when one was proved:
// `stream` begins there then. Else all of it is kept, divided where a
// record seems to begin that ends in another segment.
bool Joiner::Search(Frame& stream, uint32_t from) {
  const uint8_t first = wire::kRecordFirstByte;
  uint32_t at = from;
  while (at < stream.length && candidates_ < kMaxCandidates) {
    const void* found =
        std::memchr(stream.data + at, first, stream.length - at);
    if (found == nullptr) break;
    at =
        static_cast<uint32_t>(static_cast<const uint8_t*>(found) - stream.data);
    const auto rest = BytesOf(stream).subspan(at);
    if (!wire::MayBeginRecord(rest)) {
      ++at;
      continue;
    }
    ++candidates_;
    const auto size = wire::RecordSize(rest);
    if (!size || *size > rest.size()) {
      Keep(stream, 0, at, Start::kUnknown);
      Keep(stream, at, stream.length, Start::kGuess);
      return false;
    }
    if (Prove(pieces_.Copy(rest.first(*size)))) {
      Keep(stream, 0, at, Start::kUnknown);
      Advance(stream, at);
      worker_.counters.records_found.Add(1);
      return true;
    }
    ++at;
  }
  Keep(stream, 0, stream.length, Start::kUnknown);
  return false;
}

// Cuts what can be cut and keeps the rest. False when the burst is full before
// all is done: `stream` is what is left then.
bool Joiner::CutFront(Frame& stream, bool known, bool failed_guess) {
  while (true) {
    known |= !failed_guess && CutWhole(worker_, stream, records_) > 0;
    if (known) reach_ = stream.stream_offset;
    if (stream.length == 0) return true;
    if (!failed_guess && wire::MayBeginRecord(BytesOf(stream))) {
      const auto size = wire::RecordSize(BytesOf(stream));
      if (size && *size <= stream.length) return false;
      // A few bytes that look like the start of a record may well be chance.
      const bool sure = known || stream.length >= wire::kRecordFraming;
      Keep(stream, 0, stream.length, sure ? Start::kKnown : Start::kGuess);
      if (sure) reach_ = stream.stream_offset + stream.length;
      break;
    }
    if (known) {
      worker_.counters.Drop(DropReason::kNoRecord);
      break;
    }
    if (!Search(stream, failed_guess ? 1 : 0)) break;
    failed_guess = false;
    known = true;
  }
  UseUp(stream);
  return true;
}

bool Joiner::Work(Frame& stream, bool known, bool failed_guess) {
  reach_.reset();
  known |= pieces_.boundary(lane_) == stream.stream_offset;
  if (!failed_guess && pieces_.FindHead(lane_, stream.stream_offset)) {
    known = Join(stream);
    if (stream.length == 0) {
      UseUp(stream);
      return true;
    }
    if (records_.full()) return false;
  }
  return CutFront(stream, known, failed_guess);
}

// The piece that holds what comes next, less what was had before.
std::optional<Joiner::Next> Joiner::Follow() {
  if (!reach_) return std::nullopt;
  Piece* piece = pieces_.FindHolding(lane_, *reach_);
  if (piece == nullptr) return std::nullopt;
  Next next{TakeOut(*piece), false, false};
  Advance(next.stream,
          static_cast<uint32_t>(*reach_ - next.stream.stream_offset));
  return next;
}

void Joiner::NoteGrown(uint64_t begin, uint64_t end) {
  if (grown_count_ < grown_.size()) {
    grown_[grown_count_++] = {begin, end};
    return;
  }
  Grown& last = grown_.back();
  last = {std::min(last.begin, begin), std::max(last.end, end)};
}

bool Joiner::HasGrown(uint64_t offset) const {
  return std::any_of(grown_.begin(), grown_.begin() + grown_count_,
                     [offset](const Grown& grown) {
                       return grown.begin <= offset && offset < grown.end;
                     });
}

uint64_t Joiner::HeldTo(uint64_t offset) {
  if (walked_.begin != offset || walked_.end == 0) {
    walked_ = {offset, pieces_.HeldTo(lane_, offset)};
  }
  return walked_.end;
}

// A record of which all bytes are held is decrypted once, on a copy.
Joiner::Verdict Joiner::TryWhole(Piece& guess) {
  if (tries_ == kMaxTries) return Verdict::kWaits;
  const auto whole = pieces_.Gather(lane_, guess.begin(), guess.size);
  if (whole.size() < guess.size) {
    // Some of it was used for something else meanwhile.
    guess.reach = guess.begin() + whole.size();
    return Verdict::kWaits;
  }
  ++tries_;
  return Prove(whole) ? Verdict::kRight : Verdict::kWrong;
}

// Costs a comparison or two while nothing grew where the guess ends.
Joiner::Verdict Joiner::TryGuess(Piece& guess) {
  guess.reach = std::max(guess.reach, guess.end());
  const bool grew = std::exchange(guess.unsettled, false) ||
                    HasGrown(guess.reach - 1) || HasGrown(guess.reach);
  if (grew) guess.reach = HeldTo(guess.reach);
  if (grew && guess.size == 0) {
    const auto framing =
        pieces_.Gather(lane_, guess.begin(), wire::kRecordFraming);
    if (!wire::MayBeginRecord(framing)) return Verdict::kWrong;
    if (framing.size() < wire::kRecordFraming) return Verdict::kWaits;
    guess.size = static_cast<uint32_t>(*wire::RecordSize(framing));
    if (!HasRoom(guess.frame, guess.size)) return Verdict::kWrong;
  }
  return guess.ripe() ? TryWhole(guess) : Verdict::kWaits;
}

std::optional<Joiner::Next> Joiner::TryGuesses() {
  walked_ = {};
  for (Piece& piece : pieces_.all()) {
    if (piece.start != Start::kGuess || piece.frame.lane != lane_) continue;
    switch (TryGuess(piece)) {
      case Verdict::kWaits:
        continue;
      case Verdict::kRight:
        worker_.counters.records_found.Add(1);
        return Next{TakeOut(piece), true, false};
      case Verdict::kWrong:
        return Next{TakeOut(piece), false, true};
    }
  }
  return std::nullopt;
}

std::optional<Joiner::Next> Joiner::TakeNext() {
  auto next = Follow();
  if (!next) next = TryGuesses();
  return next;
}

void Joiner::Run(Frame stream, bool known) {
  std::optional<Next> next = Next{stream, known, false};
  while (next) {
    if (records_.full() ||
        !Work(next->stream, next->known, next->failed_guess)) {
      // What grew is forgotten with this object.
      for (Piece& piece : pieces_.all()) {
        if (piece.frame.lane == lane_) piece.unsettled = true;
      }
      worker_.ledger.Gone();
      worker_.inbound.received.rest = next->stream;
      return;
    }
    next = TakeNext();
  }
}

}  // namespace

void CutRecords(Worker& worker, Frame stream, RecordBurst& records) {
  bool known = false;
  if (worker.inbound.pieces.empty(stream.lane)) {
    known = CutWhole(worker, stream, records) > 0;
    if (stream.length == 0) return;
  }
  const session::Lane* lane = worker.FindLane(stream.lane);
  if (lane == nullptr || !lane->installed) {
    return worker.Drop(stream, DropReason::kNoSession);
  }
  Joiner joiner(worker, stream.lane, records);
  joiner.MakeWay(stream);
  joiner.Run(stream, known);
}

}  // namespace lwt
