// The rows of the settings about metrics (options.cc).
#pragma once

#include "control/config/fields.h"
#include "control/config/options.h"

namespace lwt::config {

inline constexpr std::string_view kMetricsGroup = "Metrics";

inline constexpr Option kMetricsOptions[] = {
    {.group = kMetricsGroup,
     .flag = "metrics-listen",
     .toml = "metrics.listen",
     .takes = Takes::kRestart,
     .value_name = "ADDRESS:PORT/PATH",
     .example = "127.0.0.1:9464",
     .sentence = "Where Prometheus reads metrics: an address of this host and "
                 "a port, or the absolute path of a socket; nowhere when it "
                 "is not set.",
     .field = Text<In<&Config::metrics, &MetricsConfig::listen>,
                   ReadMetricsPlace>()},
    {.group = kMetricsGroup,
     .flag = "metrics-allow-remote",
     .toml = "metrics.allow_remote",
     .takes = Takes::kRestart,
     .sentence = "Whether that may be an address that other hosts reach: "
                 "whoever does reads who the peers are and what they send.",
     .field = Boolean<In<&Config::metrics, &MetricsConfig::allow_remote>>()},
};

}  // namespace lwt::config
