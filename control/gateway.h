// One gateway, client or hub: everything that runs on the control thread.
//
// Made by Start, run by Run until a signal ends it; destroying it takes
// everything down and undoes what was changed on the host.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "control/drop_report.h"
#include "control/fallback.h"
#include "control/handshake/static_key.h"
#include "control/host/resolver.h"
#include "control/host/state_writer.h"
#include "control/host/suspend_watch.h"
#include "control/loop/api_server.h"
#include "control/loop/event_loop.h"
#include "control/loop/log.h"
#include "control/loop/signals.h"
#include "control/outer_side.h"
#include "control/peer/client_session.h"
#include "control/peer/hub_sessions.h"
#include "control/peer/mailbox_link.h"
#include "control/peer/worker_inbox.h"
#include "control/peer/worker_road.h"
#include "control/platform/platform.h"
#include "dataplane/clock.h"

namespace lwt {

class Gateway : private peer::WorkerInbox::Sink {
 public:
  // `config` and `log` outlive the gateway; the key in it is erased.
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(config::Config& config,
                                                        loop::Signals& signals,
                                                        const loop::Log& log);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway() override;

  // Returns after a signal, with all peers told.
  void Run();

 private:
  Gateway(config::Config& config, loop::Signals& signals, const loop::Log& log)
      : config_(config),
        signals_(signals),
        log_(log),
        state_writer_(std::make_unique<host::StateWriter>(log)),
        drop_report_(log) {}

  absl::Status LoadSecrets(handshake::SecretKey psk);
  std::optional<IpAddress> FindHub();
  absl::Status StartSessions();
  absl::Status StartClient();
  absl::Status StartHub();
  void LookUpFallback();
  void OnResolved();
  std::vector<peer::HeldAddress> HeldAddresses();
  absl::Status WatchSources();

  void Turn();
  // True when control may sleep; then AfterSleep follows.
  bool PrepareSleep();
  void AfterSleep();
  void DrainWorkers();
  void OnEvent(const Event& event) override;
  void OnStream(const PuntedStream& stream) override;
  void OnRecord(const PuntedRecord& record) override;
  void OnTimers();
  uint64_t NextDeadline() const;
  void OnHostChanges();
  void OnSignal();
  void SayGoodbye();
  void CheckSuspend(uint64_t now_us);
  std::string Answer(const api::Request& request);
  std::string AnswerPeer(const api::Request& request);
  std::string AnswerForget(const peer::AddressesNamed& names);
  static uint64_t NowUs() { return MonotonicUs(); }

  config::Config& config_;
  loop::Signals& signals_;
  const loop::Log& log_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::unique_ptr<host::Resolver> resolver_;
  std::unique_ptr<host::StateWriter> state_writer_;
  handshake::SecretKey psk_;
  handshake::SecretKey join_mask_key_;
  std::optional<handshake::StaticKey> identity_;
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<peer::MailboxLink> link_;
  std::vector<peer::WorkerInbox> inboxes_;  // one for each worker
  std::unique_ptr<OuterSide> outer_;
  std::optional<peer::WorkerRoad> road_;
  std::unique_ptr<peer::ClientSession> client_;
  std::unique_ptr<Fallback> fallback_;  // a hub's, where one is configured
  uint64_t fallback_lookup_ = 0;        // the resolver's
  uint64_t next_lookup_us_ = UINT64_MAX;
  std::unique_ptr<peer::HubSessions> hub_;
  std::unique_ptr<loop::ApiServer> api_;
  DropReport drop_report_;
  std::optional<host::SuspendWatch> suspend_watch_;
  uint64_t next_suspend_check_us_ = 0;
  uint64_t started_us_ = 0;
  uint64_t flows_down_ = 0;  // events seen, for the goodbye
  bool stopping_ = false;
  bool signal_ignored_ = false;  // and that was said
};

}  // namespace lwt
