#include "control/next_hops.h"

#include <algorithm>
#include <tuple>

namespace lwt {
namespace {

using loop::Cause;

}  // namespace

bool NextHops::LineOrder::operator()(const LineName& a,
                                     const LineName& b) const {
  const auto key = [](const LineName& name) {
    return std::tie(name.leg, name.local.address.family,
                    name.local.address.bytes, name.local.port);
  };
  return key(a) < key(b);
}

NextHops::Line& NextHops::LineOf(const LineName& name) {
  const auto [found, is_new] = lines_.try_emplace(name);
  Line& line = found->second;
  if (!is_new) return line;
  line.name = name;
  const platform::UplinkAttachment* by = platform_.uplinks().OfLeg(name.leg);
  line.keeper.emplace(
      platform_.netlink(), by == nullptr ? platform_.link() : by->link(),
      [this, &line](const IpAddress& remote, const host::NextHop& hop) {
        OnNextHop(line, remote, hop);
      },
      [this, &line](const IpAddress& remote) {
        return FindRoute(line, remote);
      });
  return line;
}

void NextHops::DropIfEmpty(Lines::iterator line) {
  if (line->second.added == 0 && line->second.flows.empty()) {
    lines_.erase(line);
  }
}

absl::StatusOr<host::Route> NextHops::FindRoute(const Line& line,
                                                const IpAddress& remote) {
  if (line.name.local.address.IsUnspecified()) return platform_.RouteTo(remote);
  return platform_.RouteBy(line.keeper->uplink().index, remote,
                           line.name.local);
}

void NextHops::Add(const IpAddress& remote, uint64_t now_us) {
  Line& line = LineOf(AnyEnd(platform_.leg()));
  ++line.added;
  line.keeper->Add(remote, now_us);
}

void NextHops::Remove(const IpAddress& remote) {
  const auto line = lines_.find(AnyEnd(platform_.leg()));
  if (line == lines_.end() || line->second.added == 0) return;
  --line->second.added;
  line->second.keeper->Remove(remote);
  DropIfEmpty(line);
}

std::optional<wire::LinkHeader> NextHops::LinkTo(
    const IpAddress& remote) const {
  const auto line = lines_.find(AnyEnd(platform_.leg()));
  if (line == lines_.end()) return std::nullopt;
  const host::NextHop* hop = line->second.keeper->Find(remote);
  if (hop == nullptr || !hop->ready) return std::nullopt;
  return HeaderOf(line->second, *hop);
}

std::string NextHops::Problem(const IpAddress& remote) const {
  const auto line = lines_.find(AnyEnd(platform_.leg()));
  const host::NextHop* hop =
      line == lines_.end() ? nullptr : line->second.keeper->Find(remote);
  return hop == nullptr ? "its next hop is not followed" : hop->problem;
}

void NextHops::Follow(FlowId flow, const peer::FlowWay& way, bool by_source,
                      uint64_t now_us) {
  const uint8_t leg =
      platform_.uplinks().has_leg(way.leg) ? way.leg : platform_.leg();
  const LineName name = by_source ? LineName{leg, way.local} : AnyEnd(leg);
  Line& line = LineOf(name);
  followed_[flow.value] = {name, way.remote};
  line.flows[way.remote].insert(flow.value);
  line.keeper->Add(way.remote, now_us);
  const host::NextHop* hop = line.keeper->Find(way.remote);
  if (hop->ready) link_.Send(SetLinkCommand{flow, HeaderOf(line, *hop)});
}

void NextHops::Forget(FlowId flow) {
  const auto found = followed_.find(flow.value);
  if (found == followed_.end()) return;
  const Followed followed = found->second;
  followed_.erase(found);
  const auto at = lines_.find(followed.line);
  Line& line = at->second;
  line.keeper->Remove(followed.remote);
  const auto flows = line.flows.find(followed.remote);
  flows->second.erase(flow.value);
  if (flows->second.empty()) {
    line.silent.erase(followed.remote);
    line.flows.erase(flows);
  }
  DropIfEmpty(at);
}

void NextHops::Suspect(const IpAddress& remote, uint64_t now_us) {
  for (auto& [name, line] : lines_) line.keeper->Suspect(remote, now_us);
}

std::vector<IpAddress> NextHops::Remotes() const {
  std::vector<IpAddress> remotes;
  for (const auto& [name, line] : lines_) {
    for (const auto& [remote, flows] : line.flows) remotes.push_back(remote);
  }
  return remotes;
}

void NextHops::UplinkMoved(uint64_t now_us) {
  std::vector<LineName> names;
  for (const auto& [name, line] : lines_) names.push_back(name);
  for (const LineName& name : names) {
    const auto* const by = platform_.uplinks().OfLeg(name.leg);
    if (by == nullptr) {
      LeadToFirst(name, now_us);
      continue;
    }
    host::NeighbourKeeper& keeper = *lines_.at(name).keeper;
    const host::Link& before = keeper.uplink();
    if (before.index != by->link().index || before.name != by->link().name ||
        before.mac != by->link().mac) {
      keeper.SetUplink(by->link(), now_us);
    }
  }
}

// With what is known of neighbours, where nobody is there yet. Frames say by
// which interface they go, so each flow has to be told even where the header is
// as it was.
void NextHops::LeadToFirst(LineName name, uint64_t now_us) {
  auto node = lines_.extract(name);
  name.leg = platform_.leg();
  node.key() = name;
  Line& gone = node.mapped();
  gone.name = name;
  const auto inserted = lines_.insert(std::move(node));
  Line& line = inserted.position->second;
  if (inserted.inserted) line.keeper->SetUplink(platform_.link(), now_us);
  // A line that is there has all that this one needs.
  Line& from = inserted.inserted ? line : inserted.node.mapped();
  line.added += inserted.inserted ? 0 : from.added;
  for (const auto& [remote, flows] : from.flows) {
    for (const uint64_t flow : flows) {
      followed_.at(flow).line = name;
      if (!inserted.inserted) {
        line.flows[remote].insert(flow);
        line.keeper->Add(remote, now_us);
      }
    }
    const host::NextHop* hop = line.keeper->Find(remote);
    if (hop != nullptr) OnNextHop(line, remote, *hop);
  }
}

void NextHops::HostChanged(const host::HostChanges& changes, uint64_t now_us) {
  for (auto& [name, line] : lines_) line.keeper->HostChanged(changes, now_us);
}

void NextHops::OnTimer(uint64_t now_us) {
  for (auto& [name, line] : lines_) {
    if (now_us >= line.keeper->next_deadline_us()) line.keeper->OnTimer(now_us);
  }
}

uint64_t NextHops::next_deadline_us() const {
  uint64_t next = UINT64_MAX;
  for (const auto& [name, line] : lines_) {
    next = std::min(next, line.keeper->next_deadline_us());
  }
  return next;
}

wire::LinkHeader NextHops::HeaderOf(const Line& line,
                                    const host::NextHop& hop) {
  return wire::LinkHeader::From(hop.header.view(), line.name.leg);
}

// An interface that a SYN came by may have no way back: that is no fault.
void NextHops::OnNextHop(Line& line, const IpAddress& remote,
                         const host::NextHop& hop) {
  const auto flows = line.flows.find(remote);
  if (flows == line.flows.end()) return;
  const bool is_first = line.name.leg == platform_.leg();
  NoteSilence(line, remote, hop.ready ? hop.silent : is_first);
  if (!hop.ready) return;
  for (const uint64_t flow : flows->second) {
    link_.Send(SetLinkCommand{FlowId{flow}, HeaderOf(line, hop)});
  }
}

void NextHops::NoteSilence(Line& line, const IpAddress& remote, bool silent) {
  const Cause cause = Cause::Peer("next hop");
  if (silent) {
    if (!line.silent.insert(remote).second) return;
    log_.Info(cause, "the next hop to ", ToString(remote), " does not answer");
  } else if (line.silent.erase(remote) != 0) {
    log_.Info(cause, "the next hop to ", ToString(remote), " answers again");
    if (on_way_back_) on_way_back_();
  }
}

}  // namespace lwt
