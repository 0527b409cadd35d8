#include "tests/support/world/network.h"

#include <algorithm>
#include <utility>

#include "dataplane/wire/be.h"
#include "drivers/check.h"
#include "drivers/headers.h"
#include "tests/support/world/tcp_frame.h"

namespace lwt::world {
namespace {

constexpr size_t kIpv4Addresses = wire::kEthernetSize + 12;
constexpr size_t kIpv6Addresses = wire::kEthernetSize + 8;

bool EndOf(const Bytes& frame, bool source, IpAddress& address) {
  if (frame.size() < wire::kEthernetSize) return false;
  const uint16_t type = wire::LoadBe16(&frame[wire::kEtherTypeAt]);
  const bool ipv4 = type == wire::kEtherTypeIpv4;
  if (!ipv4 && type != wire::kEtherTypeIpv6) return false;
  const Family family = ipv4 ? Family::kIpv4 : Family::kIpv6;
  const size_t size = IpAddress::SizeOf(family);
  const size_t at =
      (ipv4 ? kIpv4Addresses : kIpv6Addresses) + (source ? 0 : size);
  if (frame.size() < at + size) return false;
  address = IpAddress::FromBytes(family, &frame[at]);
  return true;
}

}  // namespace

bool SourceOf(const Bytes& frame, IpAddress& address) {
  return EndOf(frame, true, address);
}

bool DestinationOf(const Bytes& frame, IpAddress& address) {
  return EndOf(frame, false, address);
}

bool Network::BadWay::Takes(const Bytes& frame) const {
  return mtu == 0 || frame.size() <= wire::kEthernetSize + mtu;
}

void Network::Attach(const IpPrefix& prefix, Host* host, uint64_t delay_us) {
  ways_.push_back({prefix, host, delay_us, nullptr});
}

void Network::Detach(const IpPrefix& prefix) {
  std::erase_if(ways_, [&](const Way& way) {
    if (way.prefix != prefix) return false;
    bad_ways_ -= way.bad != nullptr;
    return true;
  });
}

Network::Way* Network::Find(const IpAddress& address) {
  Way* best = nullptr;
  for (Way& way : ways_) {
    if (way.prefix.address == address &&
        way.prefix.length == 8 * address.size()) {
      return &way;
    }
    if ((best == nullptr || way.prefix.length > best->prefix.length) &&
        way.prefix.length < 8 * way.prefix.address.size() &&
        way.prefix.Contains(address)) {
      best = &way;
    }
  }
  return best;
}

void Network::Impair(const IpAddress& address, const Impairment& impairment) {
  Way* const way = Find(address);
  LWT_CHECK(way != nullptr, "an impaired way has a host");
  bad_ways_ += way->bad == nullptr;
  way->bad = std::make_unique<BadWay>(impairment);
}

void Network::Send(Frame frame) {
  IpAddress address;
  if (bad_ways_ != 0 && SourceOf(frame.bytes, address)) {
    Way* const way = Find(address);
    if (way != nullptr && way->bad != nullptr) {
      if (!way->bad->Takes(frame.bytes)) {
        ++too_big_;
      } else {
        way->bad->from.Offer(now_us_, std::move(frame.bytes));
      }
      return;
    }
  }
  Enter(std::move(frame));
}

void Network::Enter(Frame frame) {
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
  if (hops_ != 0 && !TakeHops(frame.bytes, hops_)) {
    ++expired_;
    return;
  }
  under_way_.emplace(now_us_ + way->delay_us + later_us, std::move(frame));
}

void Network::Leave(Frame frame) {
  IpAddress address;
  Way* const way =
      DestinationOf(frame.bytes, address) ? Find(address) : nullptr;
  if (way == nullptr) {
    ++astray_;  // the host has left meanwhile
  } else if (way->bad == nullptr || frame.merged) {
    way->host->Arrive(std::move(frame));  // it is a host that merges
  } else if (!way->bad->Takes(frame.bytes)) {
    ++too_big_;
  } else {
    way->bad->to.Offer(now_us_, std::move(frame.bytes));
  }
}

bool Network::RunBadWays() {
  bool moved = false;
  for (const Way& way : ways_) {
    if (way.bad == nullptr) continue;
    while (auto bytes = way.bad->from.Take(now_us_)) {
      Enter({*std::move(bytes), false});
      moved = true;
    }
    while (auto bytes = way.bad->to.Take(now_us_)) {
      way.host->Arrive({*std::move(bytes), false});
      moved = true;
    }
  }
  return moved;
}

void Network::RunDue() {
  do {
    while (!under_way_.empty() && under_way_.begin()->first <= now_us_) {
      Frame frame = std::move(under_way_.begin()->second);
      under_way_.erase(under_way_.begin());
      Leave(std::move(frame));
    }
  } while (bad_ways_ != 0 && RunBadWays());
}

uint64_t Network::NextUs() const {
  uint64_t next = under_way_.empty() ? UINT64_MAX : under_way_.begin()->first;
  if (bad_ways_ == 0) return next;
  for (const Way& way : ways_) {
    if (way.bad == nullptr) continue;
    next = std::min({next, way.bad->from.NextArrival().value_or(UINT64_MAX),
                     way.bad->to.NextArrival().value_or(UINT64_MAX)});
  }
  return next;
}

}  // namespace lwt::world
