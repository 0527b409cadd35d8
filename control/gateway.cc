#include "control/gateway.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "control/status_report.h"

namespace lwt {
namespace {

// How long the last FINs may take.
constexpr uint64_t kGoodbyeUs = 250'000;

uint64_t BootTimeUs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(now.tv_nsec) / 1000;
}

std::string NobodyHas(const peer::AddressesNamed& names) {
  const auto* range = std::get_if<IpPrefix>(&names);
  if (range == nullptr) return "no tunnel address is held for that key";
  const bool one = range->length == range->address.size() * 8;
  return one ? "no client has " + ToString(range->address)
             : "no client has an address of " + ToString(*range);
}

class WorkerRings : public peer::WorkerInbox::Source {
 public:
  WorkerRings(peer::MailboxLink& link, uint32_t worker)
      : link_(link), worker_(worker) {}

  bool PollEvent(Event& event) override {
    return link_.PollEvent(worker_, event);
  }
  bool PollStream(PuntedStream& stream) override {
    return link_.PollStream(worker_, stream);
  }
  bool PollRecord(PuntedRecord& record) override {
    return link_.PollRecord(worker_, record);
  }

 private:
  peer::MailboxLink& link_;
  const uint32_t worker_;
};

}  // namespace

Gateway::~Gateway() {
  api_.reset();
  hub_.reset();
  state_writer_.reset();  // written before the next run may read it
  fallback_.reset();
  client_.reset();
  outer_.reset();
  road_.reset();
  link_.reset();
  platform_.reset();
}

void Gateway::Run() {
  suspend_watch_.emplace(NowUs(), BootTimeUs());
  while (!stopping_) Turn();
  SayGoodbye();
}

void Gateway::Turn() {
  DrainWorkers();
  OnTimers();
  uint64_t now_us = NowUs();
  road_->peers.Publish(now_us);
  uint64_t deadline_us = NextDeadline();
  uint64_t timeout_us = deadline_us > now_us ? deadline_us - now_us : 0;
  if (!PrepareSleep()) timeout_us = 0;
  loop_->Turn(timeout_us);
  AfterSleep();
}

bool Gateway::PrepareSleep() {
  bool nothing_waits = true;
  for (auto& worker : platform_->workers()) {
    nothing_waits = worker->mailbox().PrepareSleep() && nothing_waits;
  }
  return nothing_waits;
}

void Gateway::AfterSleep() {
  for (auto& worker : platform_->workers()) worker->mailbox().AfterSleep();
}

void Gateway::DrainWorkers() {
  inboxes_.resize(platform_->workers().size());
  for (uint32_t worker = 0; worker < inboxes_.size(); ++worker) {
    platform_->workers()[worker]->mailbox().Collect();
    WorkerRings rings(*link_, worker);
    inboxes_[worker].Drain(rings, *this);
  }
}

void Gateway::OnEvent(const Event& event) {
  if (event.kind == EventKind::kFlowDown) ++flows_down_;
  road_->owners.OnEvent(event, NowUs());
}

void Gateway::OnStream(const PuntedStream& stream) {
  road_->owners.OnStream(stream, NowUs());
}

void Gateway::OnRecord(const PuntedRecord& record) {
  road_->owners.OnRecord(record, NowUs());
}

// A peer may have given up on us meanwhile; whether it has shows at once.
void Gateway::CheckSuspend(uint64_t now_us) {
  if (now_us < next_suspend_check_us_) return;
  next_suspend_check_us_ = now_us + host::SuspendWatch::kEveryUs;
  const uint64_t slept_us = suspend_watch_->Slept(NowUs(), BootTimeUs());
  if (slept_us == 0) return;
  log_.Info("the host was suspended for ", (slept_us + 500'000) / 1'000'000,
            " s");
  if (client_ != nullptr) client_->OnResumed(now_us);
}

void Gateway::OnTimers() {
  uint64_t now_us = NowUs();
  CheckSuspend(now_us);
  if (client_ != nullptr) client_->OnTimer(now_us);
  if (hub_ != nullptr) hub_->OnTimer(now_us);
  if (fallback_ != nullptr) fallback_->OnTimer(now_us);
  if (now_us >= next_lookup_us_) LookUpFallback();
  outer_->OnTimer(now_us);
  if (platform_->lan() != nullptr) platform_->lan()->OnTimer(now_us);
  api_->OnTimer(now_us);
  drop_report_.OnTimer(platform_->workers(), now_us);
}

uint64_t Gateway::NextDeadline() const {
  uint64_t next = std::min(outer_->NextDeadline(), api_->NextDeadline());
  if (client_ != nullptr) next = std::min(next, client_->NextDeadline());
  if (hub_ != nullptr) next = std::min(next, hub_->NextDeadline());
  if (fallback_ != nullptr) next = std::min(next, fallback_->NextDeadline());
  if (const LanSide* lan = platform_->lan()) {
    next = std::min(next, lan->NextDeadline());
  }
  return std::min({next, road_->peers.NextDeadline(), next_lookup_us_,
                   next_suspend_check_us_});
}

void Gateway::OnHostChanges() {
  host::HostChanges changes = platform_->monitor().Drain();
  if (changes.empty()) return;
  outer_->OnHostChanges(changes);
  if (platform_->lan() != nullptr) platform_->lan()->OnHostChanges(changes);
  if (hub_ != nullptr && (changes.everything || !changes.links.empty())) {
    hub_->OnLinkChanged();
  }
  bool moved =
      changes.everything || changes.routes || !changes.addresses.empty();
  if (!moved || client_ == nullptr || !client_->remote()) return;
  std::optional<IpAddress> source =
      outer_->SourceTo(client_->remote()->address);
  if (source) client_->OnSourceChanged(*source, NowUs());
}

void Gateway::OnSignal() {
  int signal = signals_.Read();
  if (signal == 0) return;
  if (loop::Signals::Ends(signal)) {
    log_.Info("stopping on signal ", signal);
    stopping_ = true;
  } else if (std::exchange(signal_ignored_, true) == false) {
    log_.Warn("signal ", signal,
              " is ignored: settings are read at start only; restart the "
              "gateway to change them");
  }
}

void Gateway::SayGoodbye() {
  uint64_t flows = 0;
  if (client_ != nullptr && client_->session() != nullptr) {
    flows += client_->session()->lanes().size();
  }
  if (hub_ != nullptr) {
    for (const auto& client : hub_->clients()) {
      if (client.session) flows += client.session->lanes().size();
    }
  }
  if (client_ != nullptr) client_->Close("the gateway stops");
  if (hub_ != nullptr) hub_->Close("the gateway stops", NowUs());
  client_.reset();
  hub_.reset();
  fallback_.reset();
  road_->peers.PublishNow();
  // Until the peers have answered the FINs, or a quarter of a second.
  flows_down_ = 0;
  uint64_t until_us = NowUs() + kGoodbyeUs;
  while (flows_down_ < flows && NowUs() < until_us) {
    DrainWorkers();
    uint64_t now_us = NowUs();
    bool sleep = flows_down_ < flows && PrepareSleep();
    loop_->Turn(sleep && until_us > now_us ? until_us - now_us : 0);
    AfterSleep();
  }
}

std::string Gateway::AnswerForget(const peer::AddressesNamed& names) {
  std::string text;
  for (const IpAddress& address : hub_->Forget(names, NowUs())) {
    text += ToString(address) + " is free\n";
  }
  if (text.empty()) {
    return api::ErrorResponse(NobodyHas(names));
  }
  text +=
      "a client that is alive asks for its address again; lwtctl peer ban "
      "KEY keeps it out\n";
  return api::OkResponse(text);
}

std::string Gateway::AnswerPeer(const api::Request& request) {
  if (hub_ == nullptr) {
    return api::ErrorResponse(
        "this is a client: ask the hub, which has the clients and their "
        "addresses");
  }
  const std::string key = handshake::PublicKeyToText(request.key);
  switch (request.kind) {
    case api::RequestKind::kPeerForget:
      return AnswerForget(request.range);
    case api::RequestKind::kPeerForgetKey:
      return AnswerForget(request.key);
    case api::RequestKind::kPeerBan:
      return hub_->Ban(request.key, NowUs())
                 ? api::OkResponse(key + " is banned\n")
                 : api::ErrorResponse(
                       "as many keys are banned as may be: unban one first");
    case api::RequestKind::kPeerUnban:
      return hub_->Unban(request.key)
                 ? api::OkResponse(key + " may come again\n")
                 : api::ErrorResponse(key + " is not banned");
    default:
      break;
  }
  std::string text;
  for (const handshake::PublicKey& banned : hub_->banned()) {
    text += handshake::PublicKeyToText(banned) + "\n";
  }
  return api::OkResponse(text.empty() ? "no key is banned\n" : text);
}

std::string Gateway::Answer(const api::Request& request) {
  switch (request.kind) {
    case api::RequestKind::kVersion:
      return api::OkResponse(
          MakeStatus({config_, *platform_, identity_->public_key, started_us_})
              .version +
          "\n");
    case api::RequestKind::kPeerForget:
    case api::RequestKind::kPeerForgetKey:
    case api::RequestKind::kPeerBan:
    case api::RequestKind::kPeerUnban:
    case api::RequestKind::kPeerBanned:
      return AnswerPeer(request);
    case api::RequestKind::kStatus:
    case api::RequestKind::kStatusJson:
      break;
  }
  api::Status status = MakeStatus({config_, *platform_, identity_->public_key,
                                   started_us_, client_.get(), hub_.get()});
  return api::OkResponse(request.kind == api::RequestKind::kStatusJson
                             ? api::ToJson(status)
                             : api::ToTable(status));
}

}  // namespace lwt
