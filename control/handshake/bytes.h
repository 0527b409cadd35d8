// Bounded reading and writing of big-endian fields, for the control plane.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lwt::handshake {

using ByteSpan = std::span<const uint8_t>;
using ByteVector = std::vector<uint8_t>;

inline ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Text of the other side for the operator's eyes: control characters become
// '?', so that it cannot move a terminal's cursor.
inline std::string PrintableText(ByteSpan bytes) {
  std::string text(bytes.begin(), bytes.end());
  for (char& c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return text;
}

// Reads fields from the front of a span that must outlive it. Each function
// returns false, and changes nothing, when too few bytes are left.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  bool U8(uint8_t* value) { return Number(1, value); }
  bool U16(uint16_t* value) { return Number(2, value); }
  bool U24(uint32_t* value) { return Number(3, value); }
  bool U32(uint32_t* value) { return Number(4, value); }
  bool U64(uint64_t* value) { return Number(8, value); }

  bool Take(size_t size, ByteSpan* bytes) {
    if (rest_.size() < size) return false;
    *bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return true;
  }
  bool Skip(size_t size) {
    ByteSpan ignored;
    return Take(size, &ignored);
  }
  bool Copy(std::span<uint8_t> out) {
    ByteSpan bytes;
    if (!Take(out.size(), &bytes)) return false;
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return true;
  }
  // A vector after its length of one or two bytes.
  bool Vector8(ByteSpan* bytes) { return Vector(1, bytes); }
  bool Vector16(ByteSpan* bytes) { return Vector(2, bytes); }

  ByteSpan rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  template <typename T>
  bool Number(size_t size, T* value) {
    if (rest_.size() < size) return false;
    uint64_t number = 0;
    for (size_t i = 0; i < size; ++i) number = number << 8 | rest_[i];
    *value = static_cast<T>(number);
    rest_ = rest_.subspan(size);
    return true;
  }
  bool Vector(size_t prefix, ByteSpan* bytes) {
    uint32_t size = 0;
    ByteReader probe = *this;
    if (!probe.Number(prefix, &size) || !probe.Take(size, bytes)) return false;
    *this = probe;
    return true;
  }

  ByteSpan rest_;
};

// Appends fields to a vector that it owns.
class ByteWriter {
 public:
  // Room for most messages, so that they grow without another allocation.
  ByteWriter() { bytes_.reserve(256); }

  ByteWriter& U8(uint8_t value) { return Number(1, value); }
  ByteWriter& U16(uint16_t value) { return Number(2, value); }
  ByteWriter& U32(uint32_t value) { return Number(4, value); }
  ByteWriter& U64(uint64_t value) { return Number(8, value); }
  ByteWriter& Append(ByteSpan bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  ByteWriter& Append(std::string_view text) { return Append(AsBytes(text)); }
  ByteWriter& Zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }

  // Opens a vector with a length of `prefix` bytes; Close() fills it in.
  size_t Open(size_t prefix) {
    Zeros(prefix);
    return bytes_.size();
  }
  void Close(size_t start, size_t prefix) {
    size_t size = bytes_.size() - start;
    for (size_t i = 1; i <= prefix; ++i, size >>= 8) {
      bytes_[start - i] = static_cast<uint8_t>(size);
    }
  }

  size_t size() const { return bytes_.size(); }
  ByteSpan view() const { return bytes_; }
  ByteVector Take() { return std::move(bytes_); }

 private:
  ByteWriter& Number(size_t size, uint64_t value) {
    for (size_t i = size; i-- > 0;) {
      bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
    }
    return *this;
  }

  ByteVector bytes_;
};

}  // namespace lwt::handshake
