// What Prometheus reads of this gateway, where `metrics.listen` says.
//
// Made before the process gives up its privileges, and gone with the gateway.
// Control thread.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "control/loop/component.h"
#include "control/loop/event_loop.h"
#include "control/telemetry/metrics.h"
#include "control/telemetry/status.h"
#include "control/web/http_server.h"
#include "control/web/listener.h"

namespace lwt {

class MetricsSide final : public loop::Component {
 public:
  using Report = std::function<telemetry::Status()>;

  // `config` is of a place that is configured; `loop` and what `report` calls
  // outlive this object.
  static absl::StatusOr<std::unique_ptr<MetricsSide>> Start(
      const config::MetricsConfig& config, Report report,
      loop::EventLoop& loop);

  uint64_t NextDeadline() const override { return server_->NextDeadline(); }
  void OnTimer(uint64_t now_us) override { server_->OnTimer(now_us); }

 private:
  explicit MetricsSide(web::Listener listener)
      : listener_(std::move(listener)) {}

  web::Listener listener_;
  telemetry::MetricsWriter writer_;
  std::unique_ptr<web::HttpServer> server_;
};

}  // namespace lwt
