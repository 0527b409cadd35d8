#include "control/host/net/netlink_attributes.h"

#include <sys/socket.h>

#include <algorithm>

namespace lwt::host {

std::optional<Bytes> TakeMessage(Bytes& bytes) {
  const auto header = ReadStruct<nlmsghdr>(bytes);
  if (!header || header->nlmsg_len < NLMSG_HDRLEN ||
      header->nlmsg_len > bytes.size()) {
    return std::nullopt;
  }
  const Bytes message = bytes.first(header->nlmsg_len);
  const size_t padded = NLMSG_ALIGN(size_t{header->nlmsg_len});
  bytes = bytes.subspan(std::min(padded, bytes.size()));
  return message;
}

uint16_t MessageType(Bytes message) {
  const auto header = ReadStruct<nlmsghdr>(message);
  return header ? header->nlmsg_type : 0;
}

std::optional<Attribute> TakeAttribute(Bytes& bytes) {
  const auto header = ReadStruct<nlattr>(bytes);
  if (!header || header->nla_len < NLA_HDRLEN ||
      header->nla_len > bytes.size()) {
    return std::nullopt;
  }
  const Attribute attribute{
      static_cast<uint16_t>(header->nla_type & NLA_TYPE_MASK),
      bytes.subspan(NLA_HDRLEN, header->nla_len - NLA_HDRLEN)};
  const size_t padded = NLA_ALIGN(size_t{header->nla_len});
  bytes = bytes.subspan(std::min(padded, bytes.size()));
  return attribute;
}

std::optional<uint32_t> ReadU32(Bytes value) {
  return value.size() == sizeof(uint32_t) ? ReadStruct<uint32_t>(value)
                                          : std::nullopt;
}

std::string ReadString(Bytes value) {
  const auto end = std::find(value.begin(), value.end(), uint8_t{0});
  return std::string(value.begin(), end);
}

std::optional<IpAddress> ReadAddress(uint8_t family, Bytes value) {
  if (family == AF_INET && value.size() == 4) {
    return IpAddress::FromBytes(Family::kIpv4, value.data());
  }
  if (family == AF_INET6 && value.size() == 16) {
    return IpAddress::FromBytes(Family::kIpv6, value.data());
  }
  return std::nullopt;
}

}  // namespace lwt::host
