// A worker that only writes down what control asks of it, and frames to punt
// that no pool has made.
#pragma once

#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "control/peer/worker_link.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

// Freed by std::free.
inline rte_mbuf* MakeFrame(std::span<const uint8_t> bytes) {
  void* memory = std::aligned_alloc(
      64, (sizeof(rte_mbuf) + bytes.size() + 63) / 64 * 64 + 64);
  std::memset(memory, 0, sizeof(rte_mbuf));
  auto* frame = static_cast<rte_mbuf*>(memory);
  frame->buf_addr = frame + 1;
  if (!bytes.empty()) {
    std::memcpy(frame->buf_addr, bytes.data(), bytes.size());
  }
  return frame;
}

class RecordingLink : public WorkerLink {
 public:
  void Send(Command command) override { commands.push_back(command); }
  void Publish(std::unique_ptr<const Snapshot>) override {}
  CommandMark Mark() const override { return {}; }
  bool Passed(const CommandMark&) const override { return true; }
  LaneReading ReadLane(uint32_t) const override { return {}; }
  bool Opens(const OpeningKeys&, std::span<const uint8_t>) const override {
    return false;
  }
  void FreeFrame(rte_mbuf* frame) override {
    --frames_out;
    std::free(frame);
  }

  PuntedStream Punt(FlowId flow, std::span<const uint8_t> bytes,
                    uint64_t offset) {
    ++frames_out;
    PuntedStream stream;
    stream.frame = MakeFrame(bytes);
    stream.flow = flow;
    stream.length = static_cast<uint32_t>(bytes.size());
    stream.stream_offset = offset;
    return stream;
  }

  template <typename T>
  std::vector<T> Sent() const {
    std::vector<T> found;
    for (const Command& command : commands) {
      if (const T* one = std::get_if<T>(&command)) found.push_back(*one);
    }
    return found;
  }

  std::vector<Command> commands;
  int frames_out = 0;
};

}  // namespace lwt::peer
