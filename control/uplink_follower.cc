#include "control/uplink_follower.h"

#include <algorithm>

#include "control/base/text.h"

namespace lwt {
namespace {

std::string_view Gist(std::string_view problem) {
  return problem.substr(0, problem.find(';'));
}

}  // namespace

void UplinkFollower::HostChanged(const host::HostChanges& changes,
                                 uint64_t now_us) {
  if (!changes.everything && !changes.routes && changes.links.empty() &&
      changes.addresses.empty()) {
    return;
  }
  if (changes.everything || !changes.links.empty()) {
    platform_.RefreshLinks(changes.gone);
  }
  look_at_us_ =
      std::min(look_at_us_, std::max(now_us, looked_us_ + kLookEveryUs));
}

uint64_t UplinkFollower::next_deadline_us() const {
  return std::min({look_at_us_, settle_at_us_, drop_guards_at_us_});
}

bool UplinkFollower::OnTimer(uint64_t now_us) {
  if (now_us >= settle_at_us_) Settle(now_us);
  if (now_us >= drop_guards_at_us_) {
    drop_guards_at_us_ = UINT64_MAX;
    platform_.DropGuards();
  }
  if (now_us < look_at_us_) return false;
  look_at_us_ = UINT64_MAX;
  looked_us_ = now_us;
  return Take(Choose(), now_us);
}

bool UplinkFollower::LeadTo(const IpAddress& remote, uint64_t now_us) {
  const bool free =
      config_.uplink.interface.empty() && config_.mode == config::Mode::kClient;
  if (!free && platform_.has_uplink()) return false;
  if (!free) return Take(Choose(), now_us);
  std::vector<IpAddress> remotes = destinations_();
  remotes.push_back(remote);
  return Take(ChooseForFlows(remotes), now_us);
}

// What goes by the uplink already keeps it.
UplinkFollower::Choice UplinkFollower::ChooseForFlows(
    const std::vector<IpAddress>& remotes) {
  std::optional<IpAddress> first;
  absl::Status problem;
  for (const IpAddress& remote : remotes) {
    const auto route = platform_.RouteTo(remote);
    if (!route.ok()) {
      problem = route.status();
      continue;
    }
    if (platform_.has_uplink() && route->ifindex == platform_.link().index) {
      return std::optional<host::UplinkChoice>();
    }
    if (!first) first = remote;
  }
  if (!first && !problem.ok()) return problem;
  auto choice = platform_.ChooseUplink(first);
  if (!choice.ok()) return choice.status();
  return std::optional<host::UplinkChoice>(*std::move(choice));
}

UplinkFollower::Choice UplinkFollower::Choose() {
  const bool stands = platform_.has_uplink() && platform_.link().up;
  if (config_.uplink.interface.empty()) {
    if (config_.mode == config::Mode::kClient) {
      const std::vector<IpAddress> remotes = destinations_();
      // Nobody asks to go anywhere yet: the first who does is led there.
      if (remotes.empty() && stands) {
        return std::optional<host::UplinkChoice>();
      }
      return ChooseForFlows(remotes);
    }
    const std::vector<Endpoint>& local = config_.hub.local;
    const auto everywhere =
        std::find_if(local.begin(), local.end(), [](const Endpoint& endpoint) {
          return endpoint.address.IsUnspecified();
        });
    if (stands && everywhere != local.end()) {
      // A default route that is gone for a moment, or one of the other family
      // alone, is no reason to leave those who come here.
      const auto leads = platform_.netlink().DefaultRouteLink(
          everywhere->address.family, platform_.tunnel_index());
      if (leads.ok() && !leads->has_value()) {
        return std::optional<host::UplinkChoice>();
      }
    }
  }
  auto choice = platform_.ChooseUplink(std::nullopt);
  if (!choice.ok()) return choice.status();
  return std::optional<host::UplinkChoice>(*std::move(choice));
}

bool UplinkFollower::Take(const Choice& choice, uint64_t now_us) {
  if (!choice.ok()) {
    Lack(choice.status());
    return false;
  }
  const bool stays =
      !choice->has_value() || (platform_.has_uplink() &&
                               (*choice)->link.index == platform_.link().index);
  const int first = stays ? platform_.link().index : (*choice)->link.index;
  const std::vector<host::UplinkChoice> others = platform_.ChooseOthers(first);
  if (stays && (!platform_.has_uplink() || platform_.ServesOthers(others))) {
    if (!problem_.empty())
      log_.Tell(loop::LogLevel::kInfo, loop::EventKind::kPath, "uplink ",
                platform_.link().name, " again");
    problem_.clear();
    return false;
  }
  const host::UplinkChoice& next = stays ? platform_.choice() : **choice;
  if (platform_.lan() != nullptr &&
      next.link.index == platform_.lan()->link().index) {
    Lack(absl::FailedPreconditionError(config::Concat(
        next.link.name, ", where it would be by routing, is the LAN port")));
    return false;
  }
  const absl::StatusOr<bool> moved = platform_.ReplaceUplink(next, others);
  if (absl::IsUnavailable(moved.status())) {  // the workers are about to move
    look_at_us_ = now_us + kSettleUs;
    return false;
  }
  if (!moved.ok()) {
    look_at_us_ = now_us + kRetryUs;
    const std::string refusal(moved.status().message());
    if (refusal != refusal_) log_.Error("uplink: ", refusal);
    refusal_ = refusal;
    Lack(moved.status());
    return false;
  }
  refusal_.clear();
  problem_.clear();
  if (!*moved) {  // what is missing could not be had
    look_at_us_ = now_us + kRetryUs;
    return false;
  }
  settle_at_us_ = now_us;
  return true;
}

// A way that is missing while the uplink stands is its flows' to tell.
void UplinkFollower::Lack(const absl::Status& why) {
  if (platform_.has_uplink() && platform_.link().up) return;
  std::string problem = config::Concat("no uplink: ", why.message());
  // What the host has instead may change with each look.
  const bool said = Gist(problem) == Gist(problem_);
  problem_ = std::move(problem);
  if (said) return;
  log_.Tell(loop::LogLevel::kWarn, loop::EventKind::kPath, problem_,
            "; waiting for one");
}

void UplinkFollower::Settle(uint64_t now_us) {
  if (!platform_.Settle()) {
    settle_at_us_ = now_us + kSettleUs;
    return;
  }
  settle_at_us_ = UINT64_MAX;
  // At a port that it listens at, who still comes to a hub there is told by the
  // kernel that nobody does.
  if (config_.mode == config::Mode::kServer) {
    platform_.DropGuards();
  } else {
    drop_guards_at_us_ = now_us + kGuardUs;
  }
}

}  // namespace lwt
