#include "control/metrics_side.h"

#include <vector>

namespace lwt {

absl::StatusOr<std::unique_ptr<MetricsSide>> MetricsSide::Start(
    const config::MetricsConfig& config, Report report, loop::EventLoop& loop) {
  absl::StatusOr<web::Listener> listener = web::Listener::Listen(config.listen);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<MetricsSide> side(new MetricsSide(*std::move(listener)));
  std::vector<web::Page> pages = {
      {.path = "/metrics",
       .type = telemetry::MetricsWriter::kContentType,
       .body =
           [one = side.get(), report = std::move(report)] {
             return one->writer_.Write(report());
           }},
      // Whoever reads it has been answered by the control loop.
      {.path = "/healthz", .type = "text/plain; charset=utf-8", .body = [] {
         return std::string("ok\n");
       }}};
  // No browser asks at a path, and who lets other hosts in names this one.
  const bool own = config.listen.endpoint && !config.IsRemote();
  absl::StatusOr<std::unique_ptr<web::HttpServer>> server =
      web::HttpServer::Serve(side->listener_.fd(),
                             own ? web::Hosts::kOwn : web::Hosts::kAny,
                             std::move(pages), loop);
  if (!server.ok()) return server.status();
  side->server_ = *std::move(server);
  return side;
}

}  // namespace lwt
