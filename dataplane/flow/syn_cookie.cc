#include "dataplane/flow/syn_cookie.h"

#include <array>
#include <cstddef>

namespace lwt {
namespace {

constexpr uint32_t kDataBits = 24;
constexpr uint32_t kDataMask = (1u << kDataBits) - 1;

constexpr uint32_t kNoScale = 0xf;
constexpr uint32_t kSackBit = 1u << 4;

using MssTable = std::array<uint16_t, 4>;
// The values most seen in the Internet, in rising order.
constexpr MssTable kMssIpv4 = {536, 1300, 1440, 1460};
constexpr MssTable kMssIpv6 = {1220, 1420, 1440, 8940};

const MssTable& TableOf(const FlowKey& key) {
  return key.family() == Family::kIpv4 ? kMssIpv4 : kMssIpv6;
}

uint32_t CountAt(uint64_t now_us) {
  return static_cast<uint32_t>(now_us / SynCookie::kPeriodUs);
}

}  // namespace

uint32_t SynCookie::Base(const FlowKey& key, wire::TcpSeq client_isn) const {
  return static_cast<uint32_t>(hash_.Of(HashUse::kCookieBase, key)) +
         client_isn.value();
}

uint32_t SynCookie::Mask(const FlowKey& key, wire::TcpSeq client_isn,
                         uint32_t count) const {
  const uint64_t extra = uint64_t{client_isn.value()} << 32 | count;
  return static_cast<uint32_t>(hash_.Of(HashUse::kCookieCount, key, extra));
}

wire::TcpSeq SynCookie::Make(const FlowKey& key, wire::TcpSeq client_isn,
                             uint16_t mss, uint64_t now_us) const {
  const MssTable& table = TableOf(key);
  uint32_t index = table.size() - 1;
  while (index > 0 && table[index] > mss) --index;
  const uint32_t count = CountAt(now_us);
  const uint32_t data = (Mask(key, client_isn, count) + index) & kDataMask;
  return wire::TcpSeq(Base(key, client_isn) + (count << kDataBits) + data);
}

std::optional<uint16_t> SynCookie::Check(const FlowKey& key,
                                         wire::TcpSeq client_isn,
                                         wire::TcpSeq cookie,
                                         uint64_t now_us) const {
  const uint32_t rest = cookie.value() - Base(key, client_isn);
  const uint32_t now = CountAt(now_us);
  const uint32_t age = (now - (rest >> kDataBits)) & 0xff;
  if (age > 1) return std::nullopt;
  const uint32_t index = (rest - Mask(key, client_isn, now - age)) & kDataMask;
  const MssTable& table = TableOf(key);
  if (index >= table.size()) return std::nullopt;
  return table[index];
}

uint32_t SynCookie::EncodeOptions(const wire::TcpOptions& options,
                                  uint32_t now) {
  const uint32_t bits =
      (options.window_scale.has_value() ? *options.window_scale : kNoScale) |
      (options.sack_permitted ? kSackBit : 0);
  const uint32_t step = 1u << kOptionBits;
  const uint32_t timestamp = (now & ~(step - 1)) | bits;
  return timestamp - now < 0x80000000 && timestamp != now ? timestamp - step
                                                          : timestamp;
}

wire::TcpOptions SynCookie::DecodeOptions(uint32_t timestamp) {
  wire::TcpOptions options;
  const uint32_t scale = timestamp & kNoScale;
  if (scale != kNoScale) options.window_scale = static_cast<uint8_t>(scale);
  options.sack_permitted = (timestamp & kSackBit) != 0;
  options.timestamps.emplace();
  return options;
}

}  // namespace lwt
