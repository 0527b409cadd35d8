// The uplink of a platform: which interfaces it is, and how others take their
// place while workers run.
#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/platform/platform.h"
#include "control/platform/uplink_plan.h"

namespace lwt {
namespace {

using config::Mode;
using platform::UplinkAttachment;
using platform::UplinkSet;

// Of each worker, at an interface that is not the first.
constexpr uint16_t kOthersFrames = platform::kOtherUplinkFrames;

// One that the kernel steers to us by a program has frames of its own memory,
// and none of them for another interface.
bool CanBeJoined(const Uplink& port) {
  return port.info().kernel_sees_frames && port.info().frames_outlive &&
         port.wait_fd() >= 0;
}

}  // namespace

absl::StatusOr<host::UplinkChoice> Platform::ChooseUplink(
    const std::optional<IpAddress>& remote) {
  const int own = tunnel_ == nullptr ? 0 : tunnel_index();
  if (!config_.uplink.interface.empty()) {
    auto named = host::UplinkByName(*netlink_, config_.uplink.interface);
    // Renamed, it is still the one that was meant.
    if (!absl::IsNotFound(named.status()) || uplink_ == nullptr ||
        link().index == 0) {
      return named;
    }
    auto renamed = host::UplinkByIndex(
        *netlink_, link().index,
        "named in the configuration, as " + config_.uplink.interface);
    return absl::IsNotFound(renamed.status()) ? named : renamed;
  }
  if (config_.mode == Mode::kServer) {
    auto choice = ChooseForListener(own);
    if (!absl::IsFailedPrecondition(choice.status()) ||
        !platform::ServesAll(config_)) {
      return choice;
    }
    // All are served, whichever is the first.
    for (host::UplinkChoice& other : ChooseOthers(0)) {
      if (!other.link.loopback) return std::move(other);
    }
    return choice;
  }
  if (!remote) {
    return host::UplinkForListener(*netlink_, IpAddress::Any(Family::kIpv4),
                                   own);
  }
  const absl::StatusOr<host::Route> route = RouteTo(*remote);
  if (!route.ok()) return route.status();
  return host::UplinkByRoute(*netlink_, *route, *remote);
}

UplinkSpec Platform::PortSpec(uint32_t ports, uint8_t leg) const {
  UplinkSpec spec;
  spec.leg = leg;
  spec.jumbo_pool = memory_->jumbo().get();
  spec.small_pool = memory_->small().get();
  spec.super_frames = config_.uplink.super_frames;
  spec.ports = static_cast<uint16_t>(ports);
  return spec;
}

absl::Status Platform::OpenUplink(absl::StatusOr<host::UplinkChoice> choice) {
  if (!choice.ok()) {
    lack_ = absl::StrCat("no uplink: ", choice.status().message());
    log_.Warn(lack_, "; waiting for one");
    absl::StatusOr<std::unique_ptr<UplinkAttachment>> none =
        UplinkAttachment::Absent(static_cast<uint16_t>(plan_.count()), *place_,
                                 log_);
    if (!none.ok()) return none.status();
    return TakeUplinks({*std::move(none)});
  }
  UplinkSpec spec = PortSpec(plan_.count(), 0);
  spec.driver = platform::DriverOf(config_.uplink.driver);
  spec.no_xdp = no_xdp_;
  const int index = choice->link.index;
  absl::StatusOr<std::unique_ptr<UplinkAttachment>> first =
      UplinkAttachment::Open(*std::move(choice), std::move(spec), may_use_xdp_,
                             *place_, log_);
  if (!first.ok()) return first.status();
  UplinkSet::Attachments attachments = {*std::move(first)};
  if (CanBeJoined(attachments.front()->port())) {
    AttachOthers(ChooseOthers(index), attachments);
  } else if (platform::ServesAll(config_)) {
    log_.Info(
        "only ", attachments.front()->link().name,
        " is served: ", attachments.front()->port().info().driver,
        " is for one interface; uplink.driver = \"af_packet\" serves all");
  }
  return TakeUplinks(std::move(attachments));
}

absl::Status Platform::TakeUplinks(UplinkSet::Attachments attachments) {
  auto set = UplinkSet::Of(std::move(attachments));
  if (!set.ok()) return set.status();
  uplink_ = *std::move(set);
  return absl::OkStatus();
}

// By the first listen address that leads to one.
absl::StatusOr<host::UplinkChoice> Platform::ChooseForListener(int own) {
  absl::Status problem;
  for (const Endpoint& local : config_.hub.local) {
    auto choice = host::UplinkForListener(*netlink_, local.address, own);
    if (choice.ok()) return choice;
    problem.Update(choice.status());
  }
  return problem;
}

std::vector<host::UplinkChoice> Platform::ChooseOthers(int first) {
  if (!platform::ServesAll(config_)) return {};
  const std::array<int, 2> except = {first,
                                     tunnel_ == nullptr ? 0 : tunnel_index()};
  auto others = host::OthersForListener(*netlink_, except);
  if (!others.ok()) {
    log_.Error("which interfaces have addresses: ", others.status().message());
    return {};
  }
  std::erase_if(*others, [&](const host::UplinkChoice& other) {
    return other.link.name == config_.lan.port.interface;
  });
  SayLeftOut(*others);
  others->resize(std::min(others->size(), JoinedUplink::kMost - 1));
  return *std::move(others);
}

void Platform::SayLeftOut(std::span<const host::UplinkChoice> others) {
  std::string names;
  for (size_t i = JoinedUplink::kMost - 1; i < others.size(); ++i) {
    names += (names.empty() ? "" : ", ") + others[i].link.name;
  }
  static_assert(JoinedUplink::kMost == 16);
  std::string left_out;
  if (!names.empty()) {
    left_out = absl::StrCat(
        "more than 16 interfaces have addresses; not served: ", names,
        "; -l with an address of one serves it before the others, "
        "-uplink-interface it alone");
  }
  if (left_out == left_out_) return;
  left_out_ = std::move(left_out);
  if (!left_out_.empty()) log_.Warn(left_out_);
}

// One that cannot be taken is left out: the others serve on.
void Platform::AttachOthers(std::span<const host::UplinkChoice> others,
                            UplinkSet::Attachments& next) {
  std::string refused;
  for (const host::UplinkChoice& other : others) {
    if (uplink_ != nullptr) {
      if (auto held = uplink_->Holding(other.link)) {
        next.push_back(std::move(held));
        continue;
      }
    }
    if (next.size() > other_uplinks_) {
      absl::StrAppend(&refused, " ", other.link.name,
                      ": the start planned no packet memory for it;");
      continue;
    }
    last_leg_ = platform::FreeLeg(next, uplink_.get(), last_leg_);
    UplinkSpec spec = PortSpec(next.front()->port().port_count(), last_leg_);
    spec.driver = UplinkDriver::kAfPacket;
    spec.frames = kOthersFrames;
    auto opened = UplinkAttachment::Open(other, std::move(spec),
                                         /*may_use_xdp=*/false, *place_, log_);
    absl::Status status = opened.status();
    if (status.ok()) status = (*opened)->SetEndpoints(endpoints_);
    if (status.ok()) {
      next.push_back(*std::move(opened));
    } else {
      absl::StrAppend(&refused, " ", other.link.name, ": ", status.message(),
                      ";");
    }
  }
  if (!refused.empty() && refused != refused_) {
    log_.Warn("not served:", refused);
  }
  refused_ = std::move(refused);
}

bool Platform::ServesOthers(std::span<const host::UplinkChoice> others) const {
  if (!CanBeJoined(uplink_->first().port())) return true;
  const UplinkSet::Attachments& now = uplink_->attachments();
  return now.size() == 1 + others.size() &&
         std::all_of(others.begin(), others.end(),
                     [&](const host::UplinkChoice& other) {
                       return uplink_->Holding(other.link) != nullptr;
                     });
}

absl::Status Platform::SetEndpoints(std::span<const Endpoint> endpoints) {
  absl::Status status = uplink_->SetEndpoints(endpoints);
  if (status.ok()) endpoints_.assign(endpoints.begin(), endpoints.end());
  return status;
}

// Memory was planned for the first uplink, and what AF_XDP takes besides was
// given up since, so it is not tried again.
absl::StatusOr<std::shared_ptr<UplinkAttachment>> Platform::AttachFirst(
    host::UplinkChoice choice) {
  const std::shared_ptr<UplinkAttachment>& now = uplink_->attachments().front();
  if (uplink_->Holding(choice.link) == now) return now;
  // One that was served beside keeps its number: its flows have it.
  const std::optional<uint8_t> leg = uplink_->LegOf(choice.link.index);
  if (!leg) last_leg_ = platform::FreeLeg({}, uplink_.get(), last_leg_);
  UplinkSpec spec = PortSpec(static_cast<uint32_t>(workers().size()),
                             leg.value_or(last_leg_));
  spec.no_xdp =
      "AF_XDP is for the interface that a gateway starts with; restart it for "
      "that";
  auto next = UplinkAttachment::Open(std::move(choice), std::move(spec),
                                     /*may_use_xdp=*/false, *place_, log_);
  if (!next.ok()) return next.status();
  const absl::Status status = (*next)->SetEndpoints(endpoints_);
  if (!status.ok()) return status;
  return std::shared_ptr<UplinkAttachment>(*std::move(next));
}

absl::StatusOr<bool> Platform::ReplaceUplink(
    host::UplinkChoice choice, std::span<const host::UplinkChoice> others) {
  if (!Settle()) {
    return absl::UnavailableError("an uplink is being replaced already");
  }
  auto first = AttachFirst(std::move(choice));
  if (!first.ok()) return first.status();
  UplinkSet::Attachments attachments = {*std::move(first)};
  if (CanBeJoined(attachments.front()->port())) {
    AttachOthers(others, attachments);
  }
  if (attachments == uplink_->attachments()) return false;
  auto next = UplinkSet::Of(std::move(attachments));
  if (!next.ok()) return next.status();
  const absl::Status status = workers_->BeginSwap((*next)->port());
  if (!status.ok()) return status;
  const int index = (*next)->first().link().index;
  leaving_ = std::exchange(uplink_, *std::move(next));
  // One that guards the same interface is not needed any more.
  std::erase_if(retired_, [&](const std::shared_ptr<UplinkAttachment>& old) {
    return !old->has_port() && old->link().index == index;
  });
  return true;
}

// Frames of a port with memory of its own may be kept by workers for long.
bool Platform::Settle() {
  if (!workers_->EndSwap()) return false;
  if (leaving_ != nullptr) {
    left_.Add(leaving_->ReadCounters(uplink_.get()));
    for (auto& left : leaving_->Leave(*uplink_)) {
      retired_.push_back(std::move(left));
    }
    leaving_.reset();
  }
  for (const auto& old : retired_) {
    if (!old->has_port()) continue;
    old->port().info().frames_outlive ? old->ClosePort()
                                      : old->SetEndpoints({}).IgnoreError();
  }
  size_t guards = 0;
  for (auto old = retired_.rbegin(); old != retired_.rend(); ++old) {
    if (!(*old)->has_port() && ++guards > kGuards) old->reset();
  }
  std::erase(retired_, nullptr);
  return true;
}

PortReading Platform::ReadUplinkCounters() const {
  PortReading sum = left_;
  sum.Add(uplink_->ReadCounters(nullptr));
  if (leaving_ != nullptr) sum.Add(leaving_->ReadCounters(uplink_.get()));
  return sum;
}

void Platform::DropGuards() {
  std::erase_if(retired_, [](const std::shared_ptr<UplinkAttachment>& old) {
    return !old->has_port();
  });
}

}  // namespace lwt
