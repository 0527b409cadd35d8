#include "tests/support/middlebox/box.h"

#include <algorithm>
#include <optional>

namespace lwt::middlebox {
namespace {

constexpr size_t kEthernet = 14;
constexpr uint8_t kFin = 0x01;
constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kRst = 0x04;
constexpr uint8_t kPsh = 0x08;
constexpr uint8_t kAck = 0x10;
constexpr uint8_t kOptionSack = 5;

uint16_t Load16(const uint8_t* at) {
  return static_cast<uint16_t>(at[0] << 8 | at[1]);
}
uint32_t Load32(const uint8_t* at) {
  return uint32_t{Load16(at)} << 16 | Load16(at + 2);
}
void Store16(uint8_t* at, size_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void Store32(uint8_t* at, uint32_t value) {
  Store16(at, value >> 16);
  Store16(at + 2, value & 0xffff);
}

// Where the parts of an IPv4 TCP frame lie.
struct View {
  size_t ip = 0;
  size_t tcp = 0;
  size_t payload = 0;
  size_t end = 0;
};

std::optional<View> Parse(std::span<const uint8_t> frame, size_t prefix,
                          uint16_t port) {
  View view;
  view.ip = prefix + kEthernet;
  if (frame.size() < view.ip + 40 || frame[view.ip - 2] != 0x08 ||
      frame[view.ip - 1] != 0 || frame[view.ip] >> 4 != 4 ||
      frame[view.ip + 9] != 6) {
    return std::nullopt;
  }
  view.tcp = view.ip + size_t{frame[view.ip] & 0xfu} * 4;
  view.end = view.ip + Load16(&frame[view.ip + 2]);
  if (view.tcp + 20 > view.end || view.end > frame.size()) return std::nullopt;
  view.payload = view.tcp + size_t{frame[view.tcp + 12]} / 16 * 4;
  if (view.payload < view.tcp + 20 || view.payload > view.end) {
    return std::nullopt;
  }
  if (Load16(&frame[view.tcp]) != port &&
      Load16(&frame[view.tcp + 2]) != port) {
    return std::nullopt;
  }
  return view;
}

uint64_t Sum(const uint8_t* data, size_t size) {
  uint64_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2) sum += Load16(data + i);
  if (size % 2 != 0) sum += uint64_t{data[size - 1]} << 8;
  return sum;
}

uint16_t Finish(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void FixChecksums(Frame& frame, const View& view) {
  uint8_t* const ip = &frame[view.ip];
  uint8_t* const tcp = &frame[view.tcp];
  Store16(ip + 10, 0);
  Store16(ip + 10, Finish(Sum(ip, view.tcp - view.ip)));
  Store16(tcp + 16, 0);
  const size_t size = view.end - view.tcp;
  Store16(tcp + 16, Finish(Sum(ip + 12, 8) + 6 + size + Sum(tcp, size)));
}

// How much one direction's numbers are moved: by where it comes from and goes.
uint32_t Amount(uint64_t seed, const uint8_t* from, const uint8_t* to,
                const uint8_t* from_port, const uint8_t* to_port) {
  std::seed_seq mix{static_cast<uint32_t>(seed), Load32(from), Load32(to),
                    uint32_t{Load16(from_port)}, uint32_t{Load16(to_port)}};
  uint32_t amount = 0;
  mix.generate(&amount, &amount + 1);
  return amount;
}

}  // namespace

// Payloads in order, and the frame that they began with.
struct Box::Train {
  Frame head;
  View view;
  std::vector<uint8_t> bytes;
  uint8_t flags = 0;

  bool empty() const { return bytes.empty(); }
  bool Continues(std::span<const uint8_t> frame, const View& other) const {
    const auto same = [&](size_t from, size_t size) {
      return std::equal(&head[from], &head[from] + size, &frame[from]);
    };
    // Addresses, ports, acknowledgement: what a merging middlebox asks for.
    return same(view.ip + 12, 8) && other.tcp == view.tcp &&
           same(view.tcp, 4) && same(view.tcp + 8, 4) &&
           other.payload == view.payload &&
           Load32(&frame[view.tcp + 4]) ==
               Load32(&head[view.tcp + 4]) + bytes.size();
  }
};

Box::Box(const Options& options) : options_(options), random_(options.seed) {}

void Box::Pass(std::span<const std::span<const uint8_t>> frames,
               std::vector<Frame>& out) {
  Train train;
  for (const std::span<const uint8_t> bytes : frames) {
    const auto view = Parse(bytes, options_.prefix, options_.port);
    const uint8_t flags = view ? bytes[view->tcp + 13] : 0;
    const bool plain = view && view->payload < view->end &&
                       (flags & (kSyn | kFin | kRst)) == 0;
    if (options_.cut == 0 || !plain) {
      Flush(train, out);
      Emit(Frame(bytes.begin(), bytes.end()), out);
      continue;
    }
    ++counts_.taken;
    if (!train.empty() && !train.Continues(bytes, *view)) Flush(train, out);
    if (train.empty()) {
      train.head.assign(bytes.begin(), bytes.begin() + view->payload);
      train.view = *view;
      train.flags = 0;
    }
    train.flags |= flags;
    train.bytes.insert(train.bytes.end(), bytes.begin() + view->payload,
                       bytes.begin() + view->end);
  }
  Flush(train, out);
}

void Box::Flush(Train& train, std::vector<Frame>& out) {
  const uint32_t seq =
      train.empty() ? 0 : Load32(&train.head[train.view.tcp + 4]);
  const uint16_t id =
      train.empty() ? 0 : Load16(&train.head[train.view.ip + 4]);
  uint16_t segments = 0;
  for (size_t at = 0; at < train.bytes.size();) {
    const size_t left = train.bytes.size() - at;
    const size_t most = std::min(left, options_.cut);
    const size_t size = random_() % 3 == 0 ? 1 + random_() % most : most;
    Frame frame = train.head;
    const auto from = train.bytes.begin() + static_cast<long>(at);
    frame.insert(frame.end(), from, from + static_cast<long>(size));
    uint8_t* const ip = &frame[train.view.ip];
    uint8_t* const tcp = &frame[train.view.tcp];
    Store16(ip + 2, frame.size() - train.view.ip);
    Store16(ip + 4, static_cast<uint16_t>(id + segments++));
    Store32(tcp + 4, seq + static_cast<uint32_t>(at));
    tcp[13] = kAck | (size == left ? train.flags & kPsh : 0);
    at += size;
    ++counts_.given;
    View view = train.view;
    view.end = frame.size();
    FixChecksums(frame, view);
    Emit(std::move(frame), out);
  }
  train.bytes.clear();
}

void Box::Emit(Frame frame, std::vector<Frame>& out) {
  if (options_.modulate) Modulate(frame);
  const bool lost = std::uniform_real_distribution<>()(random_) < options_.loss;
  if (lost && Parse(frame, options_.prefix, options_.port)) {
    ++counts_.lost;
    return;
  }
  out.push_back(std::move(frame));
}

void Box::Modulate(Frame& frame) {
  const auto view = Parse(frame, options_.prefix, options_.port);
  if (!view) return;
  const uint8_t* const ip = &frame[view->ip];
  uint8_t* const tcp = &frame[view->tcp];
  const uint32_t ours = Amount(options_.seed, ip + 12, ip + 16, tcp, tcp + 2);
  const uint32_t theirs = Amount(options_.seed, ip + 16, ip + 12, tcp + 2, tcp);
  Store32(tcp + 4, Load32(tcp + 4) + ours);
  if ((tcp[13] & kAck) != 0) Store32(tcp + 8, Load32(tcp + 8) - theirs);
  uint8_t* const end = &frame[0] + view->payload;
  for (uint8_t* option = tcp + 20; option < end && option[0] != 0;) {
    if (option[0] == 1) {
      ++option;
      continue;
    }
    if (option + 1 >= end || option[1] < 2 || option + option[1] > end) break;
    if (option[0] == kOptionSack) {
      for (uint8_t* edge = option + 2; edge + 4 <= option + option[1];
           edge += 4) {
        Store32(edge, Load32(edge) - theirs);
      }
    }
    option += option[1];
  }
  ++counts_.rewritten;
  FixChecksums(frame, *view);
}

}  // namespace lwt::middlebox
