// SYN cookies: a SYN-ACK that needs no memory. The sequence number proves that
// the peer saw it and tells the MSS; the low bits of the timestamp tell the
// other options (RFC 4987 §3.6 and what Linux does).
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/flow/flow_key.h"
#include "dataplane/wire/tcp.h"

namespace lwt {

class SynCookie {
 public:
  // A cookie is good in the minute it was made in and in the next.
  static constexpr uint64_t kPeriodUs = 60'000'000;
  // Bits of the timestamp that hold options.
  static constexpr uint32_t kOptionBits = 6;

  explicit SynCookie(const FlowKeyedHash& hash) : hash_(hash) {}

  // The initial sequence number that answers the SYN of `client_isn`.
  wire::TcpSeq Make(const FlowKey& key, wire::TcpSeq client_isn, uint16_t mss,
                    uint64_t now_us) const;
  // The MSS that the SYN offered, rounded down to one that a cookie can tell.
  std::optional<uint16_t> Check(const FlowKey& key, wire::TcpSeq client_isn,
                                wire::TcpSeq cookie, uint64_t now_us) const;

  // A timestamp (before its offset is added) of about `now` that tells which
  // options the SYN offered, and back. Never later than `now`.
  static uint32_t EncodeOptions(const wire::TcpOptions& options, uint32_t now);
  static wire::TcpOptions DecodeOptions(uint32_t timestamp);

 private:
  uint32_t Base(const FlowKey& key, wire::TcpSeq client_isn) const;
  uint32_t Mask(const FlowKey& key, wire::TcpSeq client_isn,
                uint32_t count) const;

  const FlowKeyedHash& hash_;
};

}  // namespace lwt
