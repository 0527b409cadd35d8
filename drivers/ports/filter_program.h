// What both packet filters are written with: a classic BPF program under
// construction, without labels.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lwt {

inline constexpr uint32_t kAccept = 0xffffffff;  // bytes to keep: all
inline constexpr uint32_t kVlanIdMask = 0x0fff;

class FilterProgram {
 protected:
  // Negative offsets reach what the kernel knows of the packet.
  static constexpr uint32_t Ancillary(int field) {
    return static_cast<uint32_t>(SKF_AD_OFF + field);
  }

  void Add(uint16_t code, uint32_t k) { program_.push_back({code, 0, 0, k}); }
  // `size` is BPF_W, BPF_H or BPF_B.
  void Load(uint16_t size, uint32_t offset) {
    Add(static_cast<uint16_t>(BPF_LD | size | BPF_ABS), offset);
  }
  void Return(uint32_t bytes) { Add(BPF_RET | BPF_K, bytes); }
  void DropUnlessEqual(uint32_t value) {
    program_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value});
    Return(0);
  }
  // Emits a jump that is always taken; returns it for SetTarget.
  size_t Jump() {
    Add(BPF_JMP | BPF_JA, 0);
    return program_.size() - 1;
  }
  // Emits a jump taken unless A equals `value`; returns it for SetTarget.
  // Conditional jumps reach 255 instructions only, so it is one of two.
  size_t JumpUnlessEqual(uint32_t value) {
    program_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value});
    return Jump();
  }
  // Lets the jump lead to the next instruction emitted.
  void SetTarget(size_t jump) {
    program_[jump].k = static_cast<uint32_t>(program_.size() - jump - 1);
  }

  std::vector<sock_filter> program_;
};

}  // namespace lwt
