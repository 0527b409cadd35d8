#include "control/config/old_keys.h"

namespace lwt::config {
namespace {

constexpr std::string_view kQueues =
    "what waits is kept short, by flow, and what is full is counted; "
    "send_queue bounds it";
constexpr std::string_view kInQueue =
    "nothing waits for the tunnel device, for the kernel takes each packet in "
    "the call that brings it; a burst that comes faster than the worker opens "
    "it waits in the uplink's buffers, which need no size and count what they "
    "lose as rx_missed. Leave it out";
constexpr std::string_view kPaths =
    "not built yet: clients reach each other through the hub, and direct paths "
    "are planned";
constexpr std::string_view kOneHop =
    "a packet goes by the hub, and there is nothing to choose";
constexpr std::string_view kNeverThere =
    "it stood in the README and did nothing";

constexpr OldKey kKeys[] = {
    {"mode", "m", OldType::kText, "server"},
    {"transport", "", OldType::kText, "rawtcp",
     "there is one transport, TCP on the wire"},
    {"local_addr", "l", OldType::kText, "0.0.0.0:9000"},
    {"remote_addr", "r", OldType::kText, ""},
    {"tunnel_addr", "t", OldType::kText, "10.0.0.1/24"},
    {"key", "k", OldType::kText, ""},
    {"mtu", "mtu", OldType::kNumber, "1400"},
    {"fec_data", "fec-data", OldType::kNumber, "10"},
    {"fec_parity", "fec-parity", OldType::kNumber, "3"},
    {"send_queue_size", "send-queue", OldType::kNumber, "5000", kQueues},
    {"recv_queue_size", "recv-queue", OldType::kNumber, "5000", kInQueue},
    {"send_queue", "", OldType::kNumber, "5000", kQueues},
    {"recv_queue", "", OldType::kNumber, "5000", kInQueue},
    {"timeout", "", OldType::kNumber, "30",
     "a client tries for ever, with pauses of 1 to 32 s"},
    {"keepalive", "", OldType::kNumber, "10",
     "a peer is asked when it has to be: after 20 s of silence, sooner when "
     "packets get no answer"},
    {"multi_client", "multi-client", OldType::kBoolean, "true"},
    {"max_clients", "max-clients", OldType::kNumber, "100"},
    {"client_isolation", "client-isolation", OldType::kBoolean, "false"},
    {"tun_name", "tun-name", OldType::kText, ""},
    {"routes", "routes", OldType::kList, ""},
    {"config_push_interval", "config-push-interval", OldType::kNumber, "0"},
    {"p2p_enabled", "p2p", OldType::kBoolean, "true", kPaths},
    {"p2p_port", "p2p-port", OldType::kNumber, "0", kPaths},
    {"enable_nat_detection", "nat-detection", OldType::kBoolean, "true"},
    {"enable_mesh_routing", "mesh-routing", OldType::kBoolean, "true", kOneHop},
    {"max_hops", "max-hops", OldType::kNumber, "3", kOneHop},
    {"route_update_interval", "route-update", OldType::kNumber, "30", kOneHop},
    {"route_advert_interval", "", OldType::kNumber, "300", kOneHop},
    {"p2p_timeout", "", OldType::kNumber, "5", kPaths},
    {"p2p_keepalive_interval", "", OldType::kNumber, "25", kPaths},
    {"enable_xdp", "xdp", OldType::kBoolean, "true",
     "that was a cache; AF_XDP is taken where it is the faster one, see "
     "uplink.driver"},
    {"enable_kernel_tune", "kernel-tune", OldType::kBoolean, "true",
     "nothing of the host is tuned. What that program changed by sysctl is as "
     "it left it until the next boot"},
    {"encrypt_after_auth", "encrypt-after-auth", OldType::kBoolean, "false",
     "every packet is sealed, always"},
    {"broadcast_throttle_ms", "", OldType::kNumber, "", kNeverThere},
    {"enable_incremental_update", "", OldType::kBoolean, "", kNeverThere},
    {"max_peer_info_batch_size", "", OldType::kNumber, "", kNeverThere},
};

}  // namespace

std::span<const OldKey> OldKeys() { return kKeys; }

const OldKey* FindOldKey(std::string_view key) {
  for (const OldKey& old : kKeys) {
    if (old.key == key) return &old;
  }
  return nullptr;
}

const OldKey* FindOldFlag(std::string_view flag) {
  for (const OldKey& old : kKeys) {
    if (!old.flag.empty() && old.flag == flag) return &old;
  }
  return nullptr;
}

}  // namespace lwt::config
