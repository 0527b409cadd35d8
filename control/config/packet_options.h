// The rows of the table of settings (options.h) that are about packets: the
// uplink, loss, and the workers.
#pragma once

#include <string_view>

#include "control/config/fields.h"
#include "control/config/options.h"
#include "control/config/values.h"
#include "dataplane/flow/flow_id.h"

namespace lwt::config {

inline constexpr std::string_view kUplinkGroup = "Uplink";
inline constexpr std::string_view kFecGroup = "Loss";
inline constexpr std::string_view kDataplaneGroup = "Dataplane";

inline constexpr Option kPacketOptions[] = {
    {.group = kUplinkGroup,
     .flag = "uplink",
     .toml = "uplink.driver",
     .takes = Takes::kRestart,
     .value_name = "auto|af_packet|af_xdp",
     .sentence =
         "How frames reach the network: af_xdp where it is the faster one, "
         "af_packet everywhere else; \"auto\" chooses and says why.",
     .field = Choice<In<&Config::uplink, &UplinkConfig::driver>>()},
    {.group = kUplinkGroup,
     .flag = "uplink-interface",
     .toml = "uplink.interface",
     .takes = Takes::kRestart,
     .value_name = "NAME",
     .example = "eth0",
     .sentence = "Network interface to use; without it the one that the route "
                 "to the other side, or the listen address, leads to.",
     .field = Text<In<&Config::uplink, &UplinkConfig::interface>,
                   CheckInterfaceName>()},
    {.group = kUplinkGroup,
     .flag = "uplink-rate",
     .toml = "uplink.rate",
     .takes = Takes::kLive,
     .value_name = "BITS",
     .example = "100M",
     .sentence = "The same as rate for all peers together: what the line to "
                 "the network has. Each worker has an equal part.",
     .field = Rate<In<&Config::queues, &QueueConfig::uplink_rate>>()},
    {.group = kUplinkGroup,
     .flag = "super-frames",
     .toml = "uplink.super_frames",
     .takes = Takes::kRestart,
     .sentence = "Whether af_packet hands runs of segments to the kernel as "
                 "one; false sends each by itself.",
     .field = Boolean<In<&Config::uplink, &UplinkConfig::super_frames>>()},

    {.group = kFecGroup,
     .flag = "fec",
     .toml = "fec",
     .takes = Takes::kLive,
     .value_name = "auto/off/K:M",
     .sentence = "Parity sent against loss: \"auto\" follows the loss that the "
                 "other side reports and costs nothing without loss; K:M is M "
                 "parities to K packets.",
     .field = Text<In<&Config::fec, &FecConfig::choice>, ReadFec>()},
    {.group = kFecGroup,
     .flag = "fec-data",
     .toml = "fec_data",
     .takes = Takes::kLive,
     .value_name = "COUNT",
     .max = fec::kMaxData,
     .sentence = "Packets of a group with a fixed code, unless fec is \"off\"; "
                 "0 leaves it to fec.",
     .field = Integer<In<&Config::fec, &FecConfig::data>>()},
    {.group = kFecGroup,
     .flag = "fec-parity",
     .toml = "fec_parity",
     .takes = Takes::kLive,
     .value_name = "COUNT",
     .max = fec::kMaxParity,
     .sentence = "Parities of a group where fec_data is given.",
     .field = Integer<In<&Config::fec, &FecConfig::parity>>()},
    {.group = kFecGroup,
     .flag = "fec-flush-us",
     .toml = "fec_flush_us",
     .takes = Takes::kLive,
     .value_name = "MICROSECONDS",
     .min = 50,
     .max = 1'000'000,
     .sentence = "How long a group waits for more packets before its parities "
                 "leave; packets themselves never wait.",
     .field = Integer<In<&Config::fec, &FecConfig::flush_us>>()},
    {.group = kFecGroup,
     .flag = "fec-interleave-us",
     .toml = "fec_interleave_us",
     .takes = Takes::kLive,
     .value_name = "MICROSECONDS",
     .max = 1'000'000,
     .sentence = "How long a group may wait where groups are interleaved "
                 "because losses come in bursts; 0 never interleaves them.",
     .field = Integer<In<&Config::fec, &FecConfig::interleave_us>>()},

    {.group = kDataplaneGroup,
     .flag = "tunnel-port",
     .toml = "dataplane.tunnel_port",
     .takes = Takes::kRestart,
     .value_name = "auto|offload|tap",
     .sentence =
         "How packets reach the tunnel device: \"offload\" moves many in one "
         "call and leaves their checksums open, \"tap\" is the driver of DPDK; "
         "\"auto\" takes the first where the kernel has it.",
     .field = Choice<In<&Config::tunnel, &TunnelConfig::port>>()},
    {.group = kDataplaneGroup,
     .flag = "workers",
     .toml = "dataplane.workers",
     .takes = Takes::kRestart,
     .value_name = "COUNT",
     .max = kMaxWorkers,
     .sentence = "Threads that move packets, each on a CPU of its own; 0 takes "
                 "one, but on a hub with more than two CPUs one for each "
                 "but the first, 8 at most.",
     .field = Integer<In<&Config::workers, &WorkerConfig::count>>()},
    {.group = kDataplaneGroup,
     .flag = "pinning",
     .toml = "dataplane.pinning",
     .takes = Takes::kRestart,
     .value_name = "auto|on|off",
     .sentence = "Whether each worker stays on one CPU or is placed by the "
                 "system among those allowed; \"auto\" pins with \"idle\" = "
                 "\"busy\" or on four CPUs and more, since on fewer the rest "
                 "of the host needs the same ones.",
     .field = Choice<In<&Config::workers, &WorkerConfig::pinning>>()},
    {.group = kDataplaneGroup,
     .flag = "memory",
     .toml = "dataplane.memory",
     .takes = Takes::kRestart,
     .value_name = "auto|hugepages|no-huge",
     .sentence = "Where packet memory comes from; \"auto\" takes hugepages "
                 "when enough are free.",
     .field = Choice<In<&Config::workers, &WorkerConfig::memory>>()},
    {.group = kDataplaneGroup,
     .flag = "idle",
     .toml = "dataplane.idle",
     .takes = Takes::kRestart,
     .value_name = "adaptive|busy",
     .sentence = "What a worker without work does: \"adaptive\" sleeps, "
                 "\"busy\" polls on and needs a core of its own.",
     .field = Choice<In<&Config::workers, &WorkerConfig::idle>>()},
    {.group = kDataplaneGroup,
     .flag = "retransmit",
     .toml = "dataplane.retransmit",
     .takes = Takes::kRestart,
     .sentence = "Whether lost records are sent again; handshakes always are. "
                 "false is for tests.",
     .field = Boolean<In<&Config::workers, &WorkerConfig::retransmit>>()},
    {.group = kDataplaneGroup,
     .flag = "rekey-records",
     .toml = "dataplane.rekey_records",
     .takes = Takes::kLive,
     .value_name = "COUNT",
     .min = 1024,
     .max = int64_t{1} << 32,
     .sentence = "Records after which the session's keys are renewed.",
     .field = Integer<In<&Config::rekey, &RekeyLimits::records>>()},
    {.group = kDataplaneGroup,
     .flag = "rekey-seconds",
     .toml = "dataplane.rekey_seconds",
     .takes = Takes::kLive,
     .value_name = "SECONDS",
     .min = 5,
     .max = 86400,
     .sentence = "Seconds after which the session's keys are renewed.",
     .field = Integer<In<&Config::rekey, &RekeyLimits::seconds>>()},
    {.group = kDataplaneGroup,
     .flag = "arena-mib",
     .toml = "dataplane.arena_mib",
     .takes = Takes::kRestart,
     .value_name = "MIB",
     .max = 1024,
     .sentence =
         "Memory of each worker for records that may have to be sent again, 2 "
         "KiB each; 0 takes 12 on a client and 64 on a hub.",
     .field = Integer<In<&Config::workers, &WorkerConfig::arena_mib>>()},
};

}  // namespace lwt::config
