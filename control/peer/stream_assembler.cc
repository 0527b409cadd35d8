#include "control/peer/stream_assembler.h"

#include <algorithm>

namespace lwt::peer {

void ReinjectFrame(WorkerLink& link, const PuntedStream& stream, FlowId flow,
                   uint64_t from) {
  if (stream.stream_offset + stream.length <= from) {
    link.FreeFrame(stream.frame);
    return;
  }
  uint64_t skip = from > stream.stream_offset ? from - stream.stream_offset : 0;
  ReinjectCommand command;
  command.flow = flow;
  command.frame = stream.frame;
  command.offset = stream.offset + static_cast<uint32_t>(skip);
  command.length = stream.length - static_cast<uint32_t>(skip);
  command.stream_offset = stream.stream_offset + skip;
  link.Send(command);
}

StreamAssembler::~StreamAssembler() {
  for (const PuntedStream& frame : frames_) link_.FreeFrame(frame.frame);
  if (last_) link_.FreeFrame(last_->frame);
}

void StreamAssembler::Add(const PuntedStream& stream) {
  bool useful = EndOf(stream) > position_ && EndOf(stream) <= kMaxStream;
  auto same = [&](const PuntedStream& held) {
    return held.stream_offset == stream.stream_offset &&
           held.length >= stream.length;
  };
  if (!useful || std::any_of(frames_.begin(), frames_.end(), same)) {
    link_.FreeFrame(stream.frame);
    return;
  }
  auto at = std::upper_bound(frames_.begin(), frames_.end(), stream,
                             [](const PuntedStream& a, const PuntedStream& b) {
                               return a.stream_offset < b.stream_offset;
                             });
  frames_.insert(at, stream);
  if (frames_.size() > kMaxFrames) {
    // The one furthest ahead; its sender repeats it.
    link_.FreeFrame(frames_.back().frame);
    frames_.pop_back();
  }
}

std::span<const uint8_t> StreamAssembler::Next() {
  while (!frames_.empty() && frames_.front().stream_offset <= position_) {
    PuntedStream frame = frames_.front();
    frames_.erase(frames_.begin());
    if (EndOf(frame) <= position_) {
      link_.FreeFrame(frame.frame);
      continue;
    }
    if (last_) link_.FreeFrame(last_->frame);
    last_ = frame;
    uint64_t skip = position_ - frame.stream_offset;
    position_ = EndOf(frame);
    return {frame.data() + skip, frame.length - static_cast<size_t>(skip)};
  }
  return {};
}

std::vector<uint8_t> StreamAssembler::Ahead(uint64_t from, size_t most) const {
  std::vector<uint8_t> bytes;
  const auto take = [&](const PuntedStream& frame) {
    const uint64_t at = from + bytes.size();
    if (frame.stream_offset > at || EndOf(frame) <= at) return;
    const size_t size =
        std::min<size_t>(EndOf(frame) - at, most - bytes.size());
    const uint8_t* begin = frame.data() + (at - frame.stream_offset);
    bytes.insert(bytes.end(), begin, begin + size);
  };
  if (last_) take(*last_);
  for (const PuntedStream& frame : frames_) take(frame);
  return bytes;
}

void StreamAssembler::Reinject(FlowId flow, uint64_t from) {
  if (last_) ReinjectFrame(link_, *last_, flow, from);
  last_.reset();
  for (const PuntedStream& frame : frames_) {
    ReinjectFrame(link_, frame, flow, from);
  }
  frames_.clear();
}

}  // namespace lwt::peer
