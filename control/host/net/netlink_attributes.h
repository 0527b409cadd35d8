// Bounds-checked reading of netlink messages (netlink(7)).
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "drivers/ip_endpoint.h"

namespace lwt::host {

using Bytes = std::span<const uint8_t>;

// The fixed-size struct at the front of `bytes`.
template <typename T>
std::optional<T> ReadStruct(Bytes bytes) {
  T value;
  if (bytes.size() < sizeof(T)) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// The first message of `bytes`, header included, and takes it off them with
// its padding. nullopt at the end, or when what is left is no message.
std::optional<Bytes> TakeMessage(Bytes& bytes);

uint16_t MessageType(Bytes message);

// The payload behind the header and a `T`; empty when the message is shorter.
template <typename T>
Bytes AttributesBehind(Bytes message) {
  const size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(T));
  return message.size() < skip ? Bytes() : message.subspan(skip);
}

template <typename T>
std::optional<T> BodyOf(Bytes message) {
  if (message.size() < NLMSG_HDRLEN) return std::nullopt;
  return ReadStruct<T>(message.subspan(NLMSG_HDRLEN));
}

struct Attribute {
  uint16_t type = 0;  // without the flag bits
  Bytes value;
};

// The next attribute, taken off `bytes`; nullopt at the end or at nonsense.
std::optional<Attribute> TakeAttribute(Bytes& bytes);

std::optional<uint32_t> ReadU32(Bytes value);
// Up to the first zero byte.
std::string ReadString(Bytes value);
// AF_INET with 4 bytes or AF_INET6 with 16.
std::optional<IpAddress> ReadAddress(uint8_t family, Bytes value);

}  // namespace lwt::host
