// Gateway, up to its first turn.
#include <poll.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "control/base/text.h"
#include "control/cli/version.h"
#include "control/client_side.h"
#include "control/config/values.h"
#include "control/gateway.h"
#include "control/handshake/psk.h"
#include "control/hub_side.h"
#include "control/loop/api_server.h"
#include "control/metrics_side.h"
#include "control/nat/stun_service.h"
#include "control/platform/drop_report.h"
#include "control/platform/worker_tuning.h"
#include "control/service/confinement.h"
#include "control/site_watch.h"
#include "control/too_big_watch.h"

namespace lwt {
namespace {

using config::Mode;

// How long start-up waits for the names of hubs before it goes on without.
constexpr uint64_t kFirstLookupUs = 5'000'000;

// Argon2id takes a third of a second: it runs beside the rest of start-up.
class KeyDerivation {
 public:
  explicit KeyDerivation(const config::Config& config)
      : thread_([this, &config] {
          result_ =
              config.key.encryption == config::Encryption::kNone
                  ? handshake::NullPsk()
                  : handshake::DerivePsk(config.key.text, config.key.network);
        }) {}
  ~KeyDerivation() {
    if (thread_.joinable()) thread_.join();
  }
  absl::StatusOr<handshake::SecretKey> Wait() {
    thread_.join();
    return std::move(result_);
  }

 private:
  absl::StatusOr<handshake::SecretKey> result_ = handshake::SecretKey();
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(
    config::Config& config, const config::CommandLine& command_line,
    loop::Signals& signals, loop::Log& log, host::NameHelper* name_helper) {
  std::unique_ptr<Gateway> gateway(
      new Gateway(config, command_line, signals, log, name_helper));
  if (!handshake::InitCrypto()) {
    return absl::FailedPreconditionError(
        "this CPU lacks AES-NI or PCLMULQDQ, which sealing needs");
  }
  if (config.key.encryption == config::Encryption::kNone) {
    log.Warn("encryption = \"none\": anybody may join this tunnel");
  } else if (auto weak = handshake::WeakKeyWarning(config.key.text)) {
    log.Warn(*weak);
  }
  KeyDerivation key(config);
  std::vector<Finding> findings = CheckHost(config);
  if (!IsReady(findings)) {
    return absl::FailedPreconditionError("this host is not ready:\n" +
                                         FormatPreflight(findings));
  }
  for (const Finding& finding : findings) {
    if (finding.level != FindingLevel::kWarn) continue;
    log.Warn(finding.subject, ": ", finding.text, "; fix: ", finding.fix);
  }
  absl::StatusOr<std::unique_ptr<loop::EventLoop>> event_loop =
      loop::EventLoop::Create();
  if (!event_loop.ok()) return event_loop.status();
  gateway->loop_ = *std::move(event_loop);
  absl::StatusOr<std::unique_ptr<host::Resolver>> resolver =
      host::Resolver::Create();
  if (!resolver.ok()) return resolver.status();
  gateway->resolver_ = *std::move(resolver);
  gateway->names_.emplace(*gateway->resolver_);

  absl::StatusOr<std::unique_ptr<Platform>> platform =
      Platform::BringUp(config, gateway->FindHub(), log);
  if (!platform.ok()) return platform.status();
  gateway->platform_ = *std::move(platform);

  absl::StatusOr<handshake::SecretKey> psk = key.Wait();
  if (!psk.ok()) return psk.status();
  absl::Status status = gateway->LoadSecrets(*psk);
  config.key.Erase();
  if (status.ok()) status = gateway->StartComponents();
  if (!status.ok()) return status;
  return gateway;
}

// Where the first hub is that is found decides which interface is the uplink.
std::optional<IpAddress> Gateway::FindHub() {
  const uint64_t end_us = NowUs() + kFirstLookupUs;
  for (const config::HostPort& hub : config_.client.HubAddresses()) {
    const std::optional<IpAddress> found = LookUp(hub, end_us);
    if (found) return found;
  }
  return std::nullopt;
}

std::optional<IpAddress> Gateway::LookUp(const config::HostPort& hub,
                                         uint64_t end_us) {
  absl::StatusOr<uint64_t> id = resolver_->Start(hub.host, hub.port);
  if (!id.ok()) return std::nullopt;
  pollfd sources[] = {{resolver_->event_fd(), POLLIN, 0},
                      {signals_.fd(), POLLIN, 0}};
  if (poll(sources, 2, 0) == 0) {
    log_.Info("looking up ", hub.host);
    const uint64_t now_us = NowUs();
    const uint64_t left_us = end_us > now_us ? end_us - now_us : 0;
    poll(sources, 2, static_cast<int>(left_us / 1000));
  }
  for (const host::Resolver::Result& result : resolver_->Drain()) {
    if (!result.endpoints.ok()) {
      log_.Warn(result.endpoints.status().message());
    } else if (result.id == *id) {
      return result.endpoints->front().address;
    }
  }
  resolver_->Cancel(*id);
  return std::nullopt;
}

// `psk` is of the key that is configured; one that took its place goes before.
absl::Status Gateway::LoadSecrets(handshake::SecretKey psk) {
  const std::string& state_dir = platform_->paths().state_dir;
  if (!config_.key.text.empty()) {
    absl::StatusOr<std::optional<handshake::SecretKey>> kept =
        rotation::PskInPlaceOf(config_.key.text, state_dir);
    if (!kept.ok()) return kept.status();
    if (*kept) {
      log_.Info("the shared key is the one of ",
                rotation::StoredKeyPath(state_dir),
                ", which the hub gave in place of the configured one");
      psk = **std::move(kept);
    }
    *secrets_.key_source =
        rotation::SourceOf(config_, command_line_, state_dir);
  }
  secrets_.keys = handshake::KeyRing(psk);
  absl::StatusOr<handshake::StaticKey> identity =
      handshake::LoadOrCreateStaticKey(state_dir);
  if (!identity.ok()) return identity.status();
  secrets_.identity = *std::move(identity);
  return absl::OkStatus();
}

// What is made here in order, takes its turns in order and goes the other way
// round.
absl::Status Gateway::StartComponents() {
  link_ = std::make_unique<peer::MailboxLink>(platform_->workers());
  outer_ =
      std::make_unique<OuterSide>(config_, *platform_, *link_, *names_, log_);
  outer_->OnTunnelLost([this] {
    failure_ = absl::AbortedError(config::Concat(
        "the tunnel device ", platform_->tunnel().info().device,
        " was deleted by another program; a gateway makes it when it starts"));
    log_.Error(failure_.message());
    service_.Stopping();
    stopping_ = true;
  });
  components_.Add(*outer_);
  road_.emplace(*link_, *outer_, platform_->worker_lanes(),
                static_cast<uint32_t>(platform_->workers().size()));
  started_us_ = NowUs();
  absl::StatusOr<std::unique_ptr<loop::Background>> background =
      loop::Background::Create(*loop_);
  if (!background.ok()) return background.status();
  background_ = *std::move(background);
  auto keys = std::make_unique<KeyKeeper>(secrets_.keys, config_, log_);
  keys_ = keys.get();
  components_.Keep(std::move(keys));
  if (LanSide* lan = platform_->lan()) {
    lan->Start(platform_->workers());
    road_->owners.SetLan(lan);
    components_.Add(*lan);
  }
  absl::Status status = StartRole();
  if (status.ok()) status = WatchSources();
  if (!status.ok()) return status;
  components_.Keep(
      std::make_unique<WorkerTuning>(platform_->workers(), config_.queues));
  components_.Keep(std::make_unique<TooBigWatch>(
      [this] { return platform_->uplinks().Interfaces(); }, *loop_, *link_,
      log_));
  components_.Keep(std::make_unique<DropReport>(platform_->workers(), log_));
  components_.Keep(std::make_unique<SiteWatch>(
      config_, platform_->netlink(), platform_->tunnel_index(), log_));
  status = StartApi();
  if (status.ok()) status = StartMetrics();
  if (!status.ok()) return status;
  const std::string what = config::Concat(
      config::NameOf(config_.mode), ", ", platform_->tunnel().info().device,
      " ",
      config_.tunnel.leased ? "with an address of the hub's"
                            : ToString(config_.tunnel.addresses.front()));
  auto notice = std::make_unique<ServiceNotice>(service_, road_->peers, what);
  status = StartReloader(*notice);
  if (!status.ok()) return status;
  Confine();
  log_.Info("lightweight-tunnel ", cli::Version(), ": ",
            config::NameOf(config_.mode),
            ", TCP in the dress of TLS 1.3, encryption ",
            config::NameOf(config_.key.encryption), ", inner MTU ",
            platform_->tunnel_mtu().mtu());
  log_.Info("ready: ", what, ", inner MTU ", platform_->tunnel_mtu().mtu(),
            ", control socket ", platform_->paths().control_socket);
  notice->Ready();
  components_.Keep(std::move(notice));
  return absl::OkStatus();
}

// Whatever took more is over. A host that cannot do it is no reason not to run.
void Gateway::Confine() {
  constexpr uint16_t kFirstFreePort = 1024;
  const service::Needs needs{
      .af_xdp = platform_->uplink().info().loads_programs,
      .port_below_1024 = std::any_of(
          config_.hub.local.begin(), config_.hub.local.end(),
          [](const Endpoint& local) { return local.port < kFirstFreePort; })};
  const service::CapabilitySet kept = service::CapabilitiesFor(needs);
  absl::Status status = service::DropCapabilities(kept);
  if (!status.ok()) log_.Warn(status.message());
  status = service::ForbidSystemCalls(needs);
  if (!status.ok()) log_.Warn(status.message());
  log_.Info("privileges: ", service::NamesOfHeld(kept));
}

// What happens is told to whoever follows the events.
absl::Status Gateway::StartApi() {
  absl::StatusOr<std::unique_ptr<loop::ApiServer>> api = loop::ApiServer::Serve(
      platform_->control_socket(), *loop_,
      [this](const api::Request& request, loop::ApiServer::Reply reply) {
        Answer(request, std::move(reply));
      },
      [this](const api::Request& request) -> std::optional<std::string> {
        if (request.kind != api::RequestKind::kEventsFollow) {
          return std::nullopt;
        }
        return log_.events().Text();
      });
  if (!api.ok()) return api.status();
  log_.events().SetListener([server = api->get()](const loop::Event& event) {
    server->Tell(loop::LineOf(event));
  });
  components_.Keep(*std::move(api));
  return absl::OkStatus();
}

absl::Status Gateway::StartMetrics() {
  const config::MetricsConfig& metrics = config_.metrics;
  if (!metrics.listen.configured()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<MetricsSide>> side = MetricsSide::Start(
      metrics, [this] { return Report(NowUs()); }, *loop_);
  if (!side.ok()) return side.status();
  components_.Keep(*std::move(side));
  log_.Info("metrics are read at ", config::ToText(metrics.listen),
            metrics.IsRemote() ? ", by other hosts too" : "");
  return absl::OkStatus();
}

absl::Status Gateway::StartReloader(ServiceNotice& notice) {
  absl::StatusOr<std::unique_ptr<Reloader>> reloader =
      Reloader::Create({.command_line = command_line_,
                        .config = config_,
                        .components = components_,
                        .keys = *keys_,
                        .loop = *loop_,
                        .log = log_,
                        .background = *background_,
                        .key_source = secrets_.key_source,
                        .on_begin = [this] { service_.Reloading(); },
                        .on_end = [&notice] { notice.Ready(); }});
  if (!reloader.ok()) return reloader.status();
  reloader_ = *std::move(reloader);
  return absl::OkStatus();
}

absl::Status Gateway::StartRole() {
  const GatewayParts parts{config_,      log_,        *loop_,  *names_,
                           *platform_,   *road_,      *outer_, secrets_,
                           *background_, name_helper_};
  if (config_.mode == Mode::kServer) {
    absl::StatusOr<std::unique_ptr<HubSide>> hub =
        HubSide::Start(parts, NowUs());
    if (!hub.ok()) return hub.status();
    components_.Keep(*std::move(hub));
    if (config_.hub.stun != config::Stun::kOff) {
      components_.Keep(std::make_unique<nat::StunService>(
          config_.hub.local,
          nat::StunServer::Config{
              .keys = secrets_.keys,
              .open = config_.hub.stun == config::Stun::kOpen},
          *loop_, log_));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<ClientSide>> client =
      ClientSide::Start(parts, NowUs());
  if (!client.ok()) return client.status();
  components_.Keep(*std::move(client));
  return absl::OkStatus();
}

absl::Status Gateway::WatchSources() {
  absl::Status status =
      loop_->Watch(signals_.fd(), EPOLLIN, [this](uint32_t) { OnSignal(); });
  if (status.ok()) {
    status = loop_->Watch(platform_->monitor().fd(), EPOLLIN,
                          [this](uint32_t) { OnHostChanges(); });
  }
  if (status.ok()) {
    status = loop_->Watch(resolver_->event_fd(), EPOLLIN,
                          [this](uint32_t) { names_->OnReady(); });
  }
  for (auto& worker : platform_->workers()) {
    // Mailbox::AfterSleep empties the descriptor.
    if (!status.ok()) break;
    status =
        loop_->Watch(worker->mailbox().event_fd(), EPOLLIN, [](uint32_t) {});
  }
  return status;
}

}  // namespace lwt
