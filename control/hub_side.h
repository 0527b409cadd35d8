// A gateway's life as a hub: its clients, the web site for whoever is none, and
// what the operator may ask of both, by what the settings say. Owned by the
// gateway. Control thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/fallback/fallback.h"
#include "control/gateway_parts.h"
#include "control/host/instance/state_writer.h"
#include "control/hub/held_routes.h"
#include "control/hub/hub_sessions.h"
#include "control/loop/component.h"
#include "control/rotation/hub_rotation.h"

namespace lwt {

class HubSide final : public loop::Component {
 public:
  // Listens from then on.
  static absl::StatusOr<std::unique_ptr<HubSide>> Start(
      const GatewayParts& parts, uint64_t now_us);
  ~HubSide() override;

  uint64_t NextDeadline() const override;
  void OnTimer(uint64_t now_us) override;
  void OnHostChanges(const host::HostChanges& changes,
                     uint64_t now_us) override;
  absl::Status Apply(const config::Config& config, uint64_t now_us) override;
  void Report(telemetry::Status& status, uint64_t now_us) const override;
  std::optional<std::string> Answer(const api::Request& request,
                                    uint64_t now_us) override;
  size_t Close(std::string_view reason, uint64_t now_us) override;

 private:
  explicit HubSide(const GatewayParts& parts)
      : parts_(parts),
        writer_(std::make_unique<host::StateWriter>(parts.log)) {}

  absl::StatusOr<peer::HubSessions::Config> SessionsConfig();
  // Where probers are sent from now on.
  void SetFallback(const std::optional<config::HostPort>& service,
                   uint64_t now_us);
  absl::StatusOr<std::vector<peer::HeldAddress>> HeldAddresses();
  absl::StatusOr<std::vector<routing::HeldRoute>> HeldRoutes();
  void LookUpFallback(uint64_t now_us);
  std::optional<std::string> AnswerOf(api::Request request, uint64_t now_us);
  std::string Forget(const peer::AddressesNamed& names, uint64_t now_us);
  std::string ForgetRoutes(const peer::AddressesNamed& names);
  std::string Ban(const handshake::PublicKey& key, uint64_t now_us);
  std::string Unban(const handshake::PublicKey& key);
  std::string Banned() const;
  absl::Status StartRotation();
  void KeepKey(std::string file, std::string key,
               std::function<void(const absl::Status&)> done);
  std::string RotateKey(bool force);
  std::string Rotation() const;

  const GatewayParts parts_;
  // Written before the next run may read it.
  std::unique_ptr<host::StateWriter> writer_;
  // Where one is configured, or was: it goes on with those that it has.
  std::unique_ptr<Fallback> fallback_;
  std::optional<config::HostPort> service_;  // behind it
  NameLookups::Question lookup_;             // of its name
  uint64_t next_lookup_us_ = kNever;
  // Where there is a shared key. It asks the sessions, and they tell it.
  std::unique_ptr<rotation::HubRotation> rotation_;
  std::unique_ptr<peer::HubSessions> sessions_;
};

}  // namespace lwt
