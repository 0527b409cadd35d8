#include "control/routing/route_exchange.h"

#include <algorithm>
#include <utility>

namespace lwt::routing {

using handshake::RouteCode;
using handshake::RoutesAnswer;
using handshake::RoutesMessage;

size_t RouteExchange::Announce(std::vector<IpPrefix> networks) {
  const size_t fitting = RoutesMessage::Fitting(networks);
  networks.resize(fitting);
  wanted_ = std::move(networks);
  due_ = sent_version_ == 0 || again_ || wanted_ != sent_;
  return fitting;
}

std::optional<RoutesMessage> RouteExchange::TakeAnnouncement(uint64_t now_us) {
  if (!understood_ || !due_ || now_us < send_at_us_) return std::nullopt;
  due_ = again_ = false;
  send_at_us_ = now_us + kGapUs;
  // What is said again is answered as before, mostly.
  if (sent_ != wanted_) {
    answered_ = false;
    refused_.clear();
  }
  sent_ = wanted_;
  return RoutesMessage{.version = ++sent_version_, .networks = sent_};
}

void RouteExchange::OnRoutes(const RoutesMessage& message, uint64_t now_us) {
  ++lists_;
  const uint32_t newest = pending_ ? pending_->version : list_.version;
  if (message.version <= newest || pending_) ++overtaken_;
  if (message.version <= newest) return;
  take_at_us_ = std::max(take_at_us_, now_us);
  pending_ = message;
}

const RoutesMessage* RouteExchange::TakeList(uint64_t now_us) {
  if (!pending_ || now_us < take_at_us_) return nullptr;
  if (pending_->networks != list_.networks) codes_.clear();
  list_ = *std::move(pending_);
  pending_.reset();
  judged_ = false;
  take_at_us_ = now_us + kGapUs;
  return &list_;
}

RoutesAnswer RouteExchange::Judged(
    std::vector<std::optional<RouteCode>> codes) {
  codes_ = std::move(codes);
  judged_ = true;
  RoutesAnswer answer{.version = list_.version, .refused = {}};
  for (size_t i = 0; i < codes_.size(); ++i) {
    if (!codes_[i]) continue;
    answer.refused.push_back({static_cast<uint8_t>(i), *codes_[i]});
  }
  return answer;
}

bool RouteExchange::OnAnswer(const RoutesAnswer& answer) {
  if (answer.version != sent_version_ || sent_version_ == 0) return false;
  std::map<uint8_t, RouteCode> refused;
  for (const RoutesAnswer::Refused& each : answer.refused) {
    if (each.index < sent_.size()) refused[each.index] = each.code;
  }
  const bool news = !answered_ || refused != refused_;
  answered_ = true;
  refused_ = std::move(refused);
  return news;
}

std::optional<RouteCode> RouteExchange::RefusedBy(size_t index) const {
  const auto found = refused_.find(static_cast<uint8_t>(index));
  if (index > UINT8_MAX || found == refused_.end()) return std::nullopt;
  return found->second;
}

uint64_t RouteExchange::NextDeadline() const {
  uint64_t next = kNever;
  if (understood_ && due_) next = send_at_us_;
  if (pending_) next = std::min(next, take_at_us_);
  return next;
}

}  // namespace lwt::routing
