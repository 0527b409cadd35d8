#include "tests/support/world/network.h"

#include <algorithm>
#include <utility>

#include "dataplane/wire/be.h"
#include "drivers/headers.h"

namespace lwt::world {
namespace {

constexpr size_t kIpv4Destination = wire::kEthernetSize + 16;
constexpr size_t kIpv6Destination = wire::kEthernetSize + 24;

}  // namespace

bool DestinationOf(const Bytes& frame, IpAddress& address) {
  if (frame.size() < wire::kEthernetSize) return false;
  const uint16_t type = wire::LoadBe16(&frame[wire::kEthernetSize - 2]);
  const bool ipv4 = type == wire::kEtherTypeIpv4;
  if (!ipv4 && type != wire::kEtherTypeIpv6) return false;
  const Family family = ipv4 ? Family::kIpv4 : Family::kIpv6;
  const size_t at = ipv4 ? kIpv4Destination : kIpv6Destination;
  if (frame.size() < at + IpAddress::SizeOf(family)) return false;
  address = IpAddress::FromBytes(family, &frame[at]);
  return true;
}

void Network::Attach(const IpAddress& address, Host* host, uint64_t delay_us) {
  ways_.push_back({address, host, delay_us});
}

void Network::Detach(const IpAddress& address) {
  std::erase_if(ways_, [&](const Way& way) { return way.address == address; });
}

const Network::Way* Network::Find(const IpAddress& address) const {
  const auto at = std::find_if(ways_.begin(), ways_.end(), [&](const Way& way) {
    return way.address == address;
  });
  return at == ways_.end() ? nullptr : &*at;
}

void Network::Send(Frame frame) {
  if (middleman_ != nullptr) {
    middleman_->Pass(std::move(frame));
  } else {
    Carry(std::move(frame));
  }
}

void Network::Carry(Frame frame, uint64_t later_us) {
  IpAddress address;
  const Way* const way =
      DestinationOf(frame.bytes, address) ? Find(address) : nullptr;
  if (way == nullptr) {
    ++astray_;
    return;
  }
  under_way_.emplace(now_us_ + way->delay_us + later_us, std::move(frame));
}

void Network::RunDue() {
  while (!under_way_.empty() && under_way_.begin()->first <= now_us_) {
    Frame frame = std::move(under_way_.begin()->second);
    under_way_.erase(under_way_.begin());
    IpAddress address;
    const Way* const way =
        DestinationOf(frame.bytes, address) ? Find(address) : nullptr;
    if (way == nullptr) {
      ++astray_;  // the host has left meanwhile
    } else {
      way->host->Arrive(std::move(frame));
    }
  }
}

uint64_t Network::NextUs() const {
  return under_way_.empty() ? UINT64_MAX : under_way_.begin()->first;
}

}  // namespace lwt::world
