// One gateway: everything that runs on the control thread, as a list of
// components.
//
// Made by Start, which alone knows what kind of gateway it is; run by Run until
// a signal ends it; destroying it takes everything down and undoes what was
// changed on the host.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/api/request.h"
#include "control/base/log.h"
#include "control/config/config.h"
#include "control/gateway_parts.h"
#include "control/host/instance/suspend_watch.h"
#include "control/host/net/resolver.h"
#include "control/loop/api_server.h"
#include "control/loop/components.h"
#include "control/loop/event_loop.h"
#include "control/loop/signals.h"
#include "control/reloader.h"
#include "control/service/manager.h"
#include "control/service_notice.h"
#include "control/telemetry/status.h"
#include "control/workers/mailbox_link.h"
#include "control/workers/worker_inbox.h"
#include "dataplane/clock.h"

namespace lwt {

class Gateway : private peer::WorkerInbox::Sink {
 public:
  // All of these outlive the gateway; the key in `config` is erased. What
  // `command_line` says is read again when a reload is asked for. A client
  // without `name_helper` says what of names is to be done by hand.
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(
      config::Config& config, const config::CommandLine& command_line,
      loop::Signals& signals, loop::Log& log,
      host::NameHelper* name_helper = nullptr);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway() override;

  // Returns after a signal, with all peers told; or with the reason why it
  // cannot go on.
  absl::Status Run();

 private:
  Gateway(config::Config& config, const config::CommandLine& command_line,
          loop::Signals& signals, loop::Log& log, host::NameHelper* name_helper)
      : config_(config),
        command_line_(command_line),
        signals_(signals),
        log_(log),
        name_helper_(name_helper) {}

  absl::Status LoadSecrets(handshake::SecretKey psk);
  std::optional<IpAddress> FindHub();
  std::optional<IpAddress> LookUp(const config::HostPort& hub, uint64_t end_us);
  absl::Status StartComponents();
  absl::Status StartRole();
  absl::Status StartApi();
  absl::Status StartMetrics();
  void Confine();
  absl::Status StartReloader(ServiceNotice& notice);
  absl::Status WatchSources();

  void Turn();
  // True when control may sleep; then AfterSleep follows.
  bool PrepareSleep();
  void AfterSleep();
  void DrainWorkers();
  void OnEvent(WorkerIndex from, const Event& event) override;
  void OnStream(const PuntedStream& stream) override;
  void OnRecord(WorkerIndex from, const PuntedRecord& record) override;
  void OnTimers();
  uint64_t NextDeadline() const;
  void OnHostChanges();
  void OnSignal();
  void SayGoodbye();
  void CheckSuspend(uint64_t now_us);
  telemetry::Status Report(uint64_t now_us, bool with_away = false) const;
  void Answer(const api::Request& request, loop::ApiServer::Reply reply);
  std::string AnswerNow(const api::Request& request);
  static uint64_t NowUs() { return MonotonicUs(); }

  config::Config& config_;
  const config::CommandLine& command_line_;
  loop::Signals& signals_;
  loop::Log& log_;
  host::NameHelper* const name_helper_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::unique_ptr<host::Resolver> resolver_;
  std::optional<NameLookups> names_;
  Secrets secrets_;
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<peer::MailboxLink> link_;
  std::vector<peer::WorkerInbox> inboxes_;  // one for each worker
  std::unique_ptr<OuterSide> outer_;
  std::optional<peer::WorkerRoad> road_;
  service::Manager service_;
  loop::Components components_;
  KeyKeeper* keys_ = nullptr;  // a component
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<loop::Background> background_;  // calls components
  std::optional<host::SuspendWatch> suspend_watch_;
  uint64_t next_suspend_check_us_ = 0;
  uint64_t started_us_ = 0;
  uint64_t flows_down_ = 0;  // events seen, for the goodbye
  bool stopping_ = false;
  absl::Status failure_;
  bool signal_ignored_ = false;  // and that was said
};

}  // namespace lwt
