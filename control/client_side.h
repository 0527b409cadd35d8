// A gateway's life as a client: its session with the hub, by what the settings
// say. Owned by the gateway. Control thread.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "control/client/client_session.h"
#include "control/gateway_parts.h"
#include "control/key_receiver.h"
#include "control/loop/component.h"
#include "control/name_keeper.h"
#include "control/nat/nat_watch.h"

namespace lwt {

class ClientSide final : public loop::Component {
 public:
  static absl::StatusOr<std::unique_ptr<ClientSide>> Start(
      const GatewayParts& parts, uint64_t now_us);
  ~ClientSide() override;

  uint64_t NextDeadline() const override {
    return std::min({session_.NextDeadline(), new_keys_.NextDeadline(),
                     names_.NextDeadline(), nat_.NextDeadline()});
  }
  void OnTimer(uint64_t now_us) override;
  void OnHostChanges(const host::HostChanges& changes,
                     uint64_t now_us) override;
  absl::Status Check(const config::Config& config) const override;
  absl::Status Apply(const config::Config& config, uint64_t now_us) override;
  void OnResumed(uint64_t now_us) override { session_.OnResumed(now_us); }
  void Report(telemetry::Status& status, uint64_t now_us) const override;
  std::optional<std::string> Answer(const api::Request& request,
                                    uint64_t now_us) override;
  size_t Close(std::string_view reason, uint64_t now_us) override;

 private:
  // Between two looks for a way to ask by, where there is none.
  static constexpr uint64_t kWayUs = 1'000'000;

  ClientSide(const GatewayParts& parts, peer::ClientSession::Config config,
             uint64_t now_us);
  peer::ClientSession::Config WithMessages(peer::ClientSession::Config config);

  void OnUplinkMoved(uint64_t now_us);
  bool AsksAboutNat() const;
  // By the way to the hub as it is now.
  void AskAboutNat(uint64_t now_us);
  void ReportNames(telemetry::Status& status) const;
  // The way to the hub may begin at another address of ours.
  void FollowSource(uint64_t now_us);

  const GatewayParts parts_;
  KeyReceiver new_keys_;
  NameKeeper names_;
  peer::ClientSession session_;
  nat::NatWatch nat_;
  uint64_t next_way_us_ = 0;
};

}  // namespace lwt
