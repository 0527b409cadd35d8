// A TCP sequence number: arithmetic modulo 2^32, order by the shorter way
// round (RFC 9293 §3.4). Numbers 2^31 apart have no order.
#pragma once

#include <cstdint>

namespace lwt::wire {

class TcpSeq {
 public:
  constexpr TcpSeq() = default;
  constexpr explicit TcpSeq(uint32_t value) : value_(value) {}

  constexpr uint32_t value() const { return value_; }

  friend constexpr TcpSeq operator+(TcpSeq seq, uint32_t bytes) {
    return TcpSeq(seq.value_ + bytes);
  }
  // Signed distance from b to a, in bytes.
  friend constexpr int32_t operator-(TcpSeq a, TcpSeq b) {
    return static_cast<int32_t>(a.value_ - b.value_);
  }
  friend constexpr bool operator==(TcpSeq, TcpSeq) = default;
  friend constexpr bool operator<(TcpSeq a, TcpSeq b) { return a - b < 0; }
  friend constexpr bool operator>(TcpSeq a, TcpSeq b) { return b < a; }
  friend constexpr bool operator<=(TcpSeq a, TcpSeq b) { return !(b < a); }
  friend constexpr bool operator>=(TcpSeq a, TcpSeq b) { return !(a < b); }

 private:
  uint32_t value_ = 0;
};

}  // namespace lwt::wire
