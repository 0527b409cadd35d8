#include "control/gateway.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "control/cli/version.h"
#include "control/platform/platform_report.h"
#include "control/telemetry/printer.h"
#include "control/workers/mailbox_rings.h"

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

}  // namespace

Gateway::~Gateway() {
  log_.events().SetListener({});  // the API's
  reloader_.reset();              // those who asked it are the API's clients
  background_.reset();
  components_.Clear();
  road_.reset();
  outer_.reset();
  link_.reset();
  platform_.reset();
}

absl::Status Gateway::Run() {
  suspend_watch_.emplace(NowUs(), BootTimeUs());
  while (!stopping_) Turn();
  SayGoodbye();
  return failure_;
}

void Gateway::Turn() {
  DrainWorkers();
  OnTimers();
  uint64_t now_us = NowUs();
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
    Mailbox& mailbox = platform_->workers()[worker]->mailbox();
    mailbox.Collect();
    peer::MailboxRings rings(mailbox);
    inboxes_[worker].Drain(rings, {worker}, *this);
  }
}

void Gateway::OnEvent(WorkerIndex from, const Event& event) {
  if (event.kind == EventKind::kFlowDown) ++flows_down_;
  road_->owners.OnEvent(from, event, NowUs());
}

void Gateway::OnStream(const PuntedStream& stream) {
  road_->owners.OnStream(stream, NowUs());
}

void Gateway::OnRecord(WorkerIndex from, const PuntedRecord& record) {
  road_->owners.OnRecord(from, record, NowUs());
}

// A peer may have given up on us meanwhile; whether it has shows at once.
void Gateway::CheckSuspend(uint64_t now_us) {
  if (now_us < next_suspend_check_us_) return;
  next_suspend_check_us_ = now_us + host::SuspendWatch::kEveryUs;
  const uint64_t slept_us = suspend_watch_->Slept(NowUs(), BootTimeUs());
  if (slept_us == 0) return;
  log_.Info("the host was suspended for ", (slept_us + 500'000) / 1'000'000,
            " s");
  components_.OnResumed(now_us);
}

void Gateway::OnTimers() {
  const uint64_t now_us = NowUs();
  CheckSuspend(now_us);
  components_.OnTimer(now_us);
  road_->peers.Publish(now_us);
}

uint64_t Gateway::NextDeadline() const {
  return std::min({components_.NextDeadline(), road_->peers.NextDeadline(),
                   next_suspend_check_us_});
}

void Gateway::OnHostChanges() {
  const host::HostChanges changes = platform_->monitor().Drain();
  if (!changes.empty()) components_.OnHostChanges(changes, NowUs());
}

void Gateway::OnSignal() {
  int signal = signals_.Read();
  if (signal == 0) return;
  if (loop::Signals::Ends(signal)) {
    log_.Info("stopping on signal ", signal);
    service_.Stopping();
    stopping_ = true;
  } else if (loop::Signals::Reloads(signal)) {
    // Who stops reads nothing any more.
    if (reloader_ != nullptr) reloader_->Begin({});
  } else if (std::exchange(signal_ignored_, true) == false) {
    log_.Warn("signal ", signal,
              " is ignored: SIGHUP has the settings read again, as lwtctl "
              "reload does; SIGTERM ends the gateway");
  }
}

void Gateway::SayGoodbye() {
  reloader_.reset();
  road_->peers.PublishNow();  // commands may wait for it
  const size_t flows = components_.Close("the gateway stops", NowUs());
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

telemetry::Status Gateway::Report(uint64_t now_us, bool with_away) const {
  telemetry::Status status;
  status.wants_away = with_away;
  status.version = cli::Version();
  status.protocol = handshake::kProtocolVersion;
  status.features = handshake::FeatureNames(handshake::kOwnFeatures);
  status.mode = config::NameOf(config_.mode);
  status.reading.uptime_s = telemetry::SecondsSince(started_us_, now_us);
  status.pid = static_cast<uint32_t>(getpid());
  status.encryption = config::NameOf(config_.key.encryption);
  status.public_key = handshake::PublicKeyToText(secrets_.identity.public_key);
  for (const IpPrefix& prefix : config_.tunnel.addresses) {
    status.tunnel.addresses.push_back(ToString(prefix));
  }
  ReportPlatform(*platform_, status);
  components_.Report(status, now_us);
  return status;
}

void Gateway::Answer(const api::Request& request,
                     loop::ApiServer::Reply reply) {
  if (request.kind != api::RequestKind::kReload) {
    return reply(AnswerNow(request));
  }
  if (reloader_ == nullptr) {
    return reply(api::ErrorResponse("the gateway stops"));
  }
  reloader_->Begin([reply = std::move(reply)](
                       const absl::StatusOr<std::string>& result) {
    reply(result.ok()
              ? api::OkResponse(*result)
              : api::ErrorResponse(config::ToStd(result.status().message())));
  });
}

std::string Gateway::AnswerNow(const api::Request& request) {
  const uint64_t now_us = NowUs();
  if (auto answer = components_.Answer(request, now_us)) return *answer;
  if (request.kind == api::RequestKind::kEvents) {
    return api::OkResponse(log_.events().Text());
  }
  const bool peers = request.kind == api::RequestKind::kPeers ||
                     request.kind == api::RequestKind::kPeersJson;
  const telemetry::Status status = Report(now_us, peers);
  switch (request.kind) {
    case api::RequestKind::kVersion:
      return api::OkResponse(telemetry::ToVersions(status));
    case api::RequestKind::kPeers:
      return api::OkResponse(telemetry::PeersToTable(status));
    case api::RequestKind::kPeersJson:
      return api::OkResponse(telemetry::PeersToJson(status));
    case api::RequestKind::kStatusJson:
      return api::OkResponse(telemetry::ToJson(status));
    case api::RequestKind::kRoutes:
      return api::OkResponse(telemetry::RoutesToTable(status));
    case api::RequestKind::kRoutesJson:
      return api::OkResponse(telemetry::RoutesToJson(status));
    default:
      return api::OkResponse(telemetry::ToTable(status));
  }
}

}  // namespace lwt
