#include "control/config/options.h"

#include <array>
#include <iterator>
#include <utility>

#include "control/config/fields.h"
#include "control/config/metrics_options.h"
#include "control/config/networks.h"
#include "control/config/option_fields.h"
#include "control/config/packet_options.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

constexpr std::string_view kTunnelGroup = "Tunnel";
constexpr std::string_view kQueueGroup = "Queues";
constexpr std::string_view kKeyGroup = "Keys";
constexpr std::string_view kServerGroup = "Hub";
constexpr std::string_view kLanGroup = "Networks";
constexpr std::string_view kPeerGroup = "Entries [[peer]]";
constexpr std::string_view kHubGroup = "Entries [[hub]]";
constexpr std::string_view kHostGroup = "Host";

// Choices must follow the order of their enumerators in config.h. Rows of one
// group, and those of one table in the file, stand together. Those of the
// groups about packets follow, from packet_options.h, and that of
// metrics_options.h.
constexpr Option kFirstRows[] = {
    {.group = kTunnelGroup,
     .flag = "m",
     .toml = "mode",
     .takes = Takes::kRestart,
     .value_name = "server|client",
     .sentence = "Which side this is: \"server\" is the hub, which waits for "
                 "clients; a "
                 "\"client\" connects to it.",
     .field = Choice<In<&Config::mode>, 1>()},
    {.group = kTunnelGroup,
     .flag = "l",
     .toml = "local_addr",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kRestart,
     .value_name = "ADDRESS:PORT[,...]",
     .default_text = "0.0.0.0:9000",
     .sentence = "Where the hub listens, up to eight places; 0.0.0.0 or [::] "
                 "takes every address.",
     .field = List<In<&Config::hub, &HubConfig::local>, ReadListenAddress,
                   CheckListenAddresses>()},
    {.group = kTunnelGroup,
     .flag = "r",
     .toml = "remote_addr",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kNextConnection,
     .value_name = "HOST:PORT",
     .sentence = "The hub to connect to: an address or a name, and its port.",
     .field =
         Text<In<&Config::client, &ClientConfig::remote>, ReadRemoteAddress>()},
    {.group = kTunnelGroup,
     .flag = "t",
     .toml = "tunnel_addr",
     .takes = Takes::kRestart,
     .value_name = "ADDRESS/BITS[,...]",
     .sentence = "This side's address inside the tunnel with its prefix "
                 "length; one IPv4 address, one IPv6 address, or one of each. "
                 "A client's may be \"auto\": the hub leases it one of each "
                 "of its networks.",
     .field = TunnelAddresses()},
    {.group = kTunnelGroup,
     .flag = "mtu",
     .toml = "mtu",
     .takes = Takes::kNextConnection,
     .value_name = "BYTES",
     .max = 9000,
     .sentence = "Size of the largest packet inside the tunnel; 0 takes the "
                 "largest that the uplink carries.",
     .field = Integer<In<&Config::tunnel, &TunnelConfig::mtu>>()},
    {.group = kTunnelGroup,
     .flag = "tun-name",
     .toml = "tun_name",
     .takes = Takes::kRestart,
     .value_name = "NAME",
     .sentence = "Name of the tunnel's network device.",
     .field = Text<In<&Config::tunnel, &TunnelConfig::device>,
                   CheckInterfaceName>()},
    {.group = kTunnelGroup,
     .flag = "multicast",
     .toml = "multicast",
     .takes = Takes::kRestart,
     .value_name = "off|hub",
     .sentence =
         "Whether multicast and broadcasts inside the tunnel go to every "
         "peer: \"hub\" has the hub copy them to all clients, and a "
         "client send them to the hub. Both sides need it.",
     .field = Choice<In<&Config::tunnel, &TunnelConfig::multicast>>()},
    {.group = kTunnelGroup,
     .flag = "sni",
     .toml = "sni",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kNextConnection,
     .value_name = "NAME",
     .sentence = "Server name that the connection shows to whoever watches it.",
     .field = Text<In<&Config::client, &ClientConfig::sni>, CheckHostName>()},
    {.group = kTunnelGroup,
     .flag = "nat-detection",
     .toml = "enable_nat_detection",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kLive,
     .sentence = "Whether the client asks its hub, by STUN over UDP, how the "
                 "NAT in front of it treats it; `lwtctl status` shows it.",
     .field = Boolean<In<&Config::client, &ClientConfig::nat_detection>>()},
    {.group = kTunnelGroup,
     .flag = "persona",
     .toml = "persona",
     .takes = Takes::kRestart,
     .value_name = "auto|linux-6.1|linux-6.18",
     .sentence = "Whose TCP the connection shows: the window scale of a kernel "
                 "before or since 6.16, and its pace of repeated SYNs; "
                 "\"auto\" is the running one.",
     .field = Choice<In<&Config::uplink, &UplinkConfig::persona>>()},

    {.group = kQueueGroup,
     .flag = "rate",
     .toml = "rate",
     .takes = Takes::kLive,
     .value_name = "BITS",
     .example = "50M",
     .sentence = "Bits a second that are sent to a peer at most, headers and "
                 "repairs included, with k, M or G: a little less than the "
                 "line has keeps its queue here, where a ping passes it.",
     .field = Rate<In<&Config::queues, &QueueConfig::rate>>()},
    {.group = kQueueGroup,
     .flag = "rate-in",
     .toml = "rate_in",
     .takes = Takes::kLive,
     .value_name = "BITS",
     .example = "50M",
     .sentence = "Bits a second of packets that are taken from a peer at most; "
                 "those beyond are dropped.",
     .field = Rate<In<&Config::queues, &QueueConfig::rate_in>>()},
    {.group = kQueueGroup,
     .flag = "send-queue",
     .toml = "send_queue",
     .takes = Takes::kRestart,
     .value_name = "PACKETS",
     .min = 64,
     .max = 65536,
     .sentence = "How many packets may wait in each worker for a peer's window "
                 "or rate; beyond them the largest flow loses its oldest.",
     .field = Integer<In<&Config::queues, &QueueConfig::send>>()},

    {.group = kKeyGroup,
     .flag = "k",
     .toml = "key",
     .takes = Takes::kNextConnection,
     .value_name = "KEY",
     .secret = true,
     .sentence = "The shared key, the same on both sides; `lightweight-tunnel "
                 "genkey` prints a strong one.",
     .field = Text<In<&Config::key, &KeyConfig::text>, CheckKeyText>()},
    {.group = kKeyGroup,
     .flag = "key-file",
     .toml = "key_file",
     .takes = Takes::kNextConnection,
     .value_name = "FILE",
     .sentence =
         "File whose first line is the shared key; takes the place of key.",
     .field = Text<In<&Config::key, &KeyConfig::file>, CheckFile>()},
    {.group = kKeyGroup,
     .flag = "key-grace",
     .toml = "key_grace",
     .takes = Takes::kLive,
     .value_name = "SECONDS",
     .max = 31'536'000,
     .sentence = "How long a shared key is still taken after another took its "
                 "place, by a reload or by the hub's rotation; 0 refuses it "
                 "at once.",
     .field = Integer<In<&Config::key, &KeyConfig::grace_s>>()},
    {.group = kKeyGroup,
     .flag = "network",
     .toml = "network",
     .takes = Takes::kRestart,
     .value_name = "NAME",
     .sentence = "Name mixed into the key, the same on both sides; tunnels of "
                 "different names never join, even with one key.",
     .field = Text<In<&Config::key, &KeyConfig::network>, CheckNetworkName>()},
    {.group = kKeyGroup,
     .flag = "encryption",
     .toml = "encryption",
     .takes = Takes::kRestart,
     .value_name = "aes-256-gcm|none",
     .sentence =
         "\"none\" runs without a shared key: anyone may join the tunnel.",
     .field = Choice<In<&Config::key, &KeyConfig::encryption>>()},
    {.group = kKeyGroup,
     .flag = "server-public-key",
     .toml = "server_public_key",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kNextConnection,
     .value_name = "KEY",
     .example = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=",
     .sentence = "Public key that the hub must show; without it the one of "
                 "the first connection is kept.",
     .field = Text<In<&Config::client, &ClientConfig::server_public_key>,
                   ReadServerKey>()},

    {.group = kServerGroup,
     .flag = "multi-client",
     .toml = "multi_client",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .sentence = "Whether more than one client may connect.",
     .field = Boolean<In<&Config::hub, &HubConfig::multi_client>>()},
    {.group = kServerGroup,
     .flag = "max-clients",
     .toml = "max_clients",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "COUNT",
     .min = 1,
     .max = 10000,
     .made_at_start = true,
     .sentence = "How many clients may be connected at once.",
     .field = Integer<In<&Config::hub, &HubConfig::max_clients>>()},
    {.group = kServerGroup,
     .flag = "client-isolation",
     .toml = "client_isolation",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .sentence = "Whether clients reach the hub and the networks behind it "
                 "only, and not each other, nor what is behind others.",
     .field = Boolean<In<&Config::hub, &HubConfig::client_isolation>>()},
    {.group = kServerGroup,
     .flag = "address-pool",
     .toml = "address_pool",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "NETWORK/BITS[,...]",
     .sentence = "Parts of the tunnel's networks that addresses are leased "
                 "from, to clients with tunnel_addr = \"auto\"; a network "
                 "without a part is leased whole.",
     .field = List<In<&Config::hub, &HubConfig::address_pool>, ReadNetwork,
                   TakeAny>()},
    {.group = kServerGroup,
     .flag = "dns",
     .toml = "dns",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "ADDRESS[,...]",
     .example = "10.0.0.1",
     .sentence = "Name servers that clients are told of, up to four; a client "
                 "with accept_dns asks them for all names.",
     .field = List<In<&Config::hub, &HubConfig::dns>, ReadHostAddress,
                   CheckNameServers>()},
    {.group = kServerGroup,
     .flag = "dns-search",
     .toml = "dns_search",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "DOMAIN[,...]",
     .example = "corp.example",
     .sentence = "Domains that complete a client's short names, up to three, "
                 "told with dns.",
     .field = List<In<&Config::hub, &HubConfig::dns_search>, ReadDomain,
                   CheckSearch>()},
    {.group = kServerGroup,
     .flag = "config-push-interval",
     .toml = "config_push_interval",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "SECONDS",
     .max = 31'536'000,
     .sentence =
         "How often the hub makes another shared key and gives it to "
         "all clients, and tells them again of networks, names and MTU; 0: a "
         "key only for `lwtctl rotate-key`, the rest as it changes.",
     .field = Integer<In<&Config::hub, &HubConfig::push_interval_s>>()},
    {.group = kServerGroup,
     .flag = "fallback",
     .toml = "fallback",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "HOST:PORT",
     .example = "127.0.0.1:8443",
     .sentence = "A real TLS service, such as a web server, for connections "
                 "without the "
                 "key; when it is not set, they get a TLS alert.",
     .field =
         Text<In<&Config::hub, &HubConfig::fallback>, ReadRemoteAddress>()},

    {.group = kServerGroup,
     .flag = "stun",
     .toml = "stun",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kRestart,
     .value_name = "off|clients|open",
     .sentence = "Whose questions about their NAT are answered, by UDP at the "
                 "number of the hub's port and the one above: \"clients\" is "
                 "those that know the shared key, \"open\" is everybody, stock "
                 "STUN clients too.",
     .field = Choice<In<&Config::hub, &HubConfig::stun>>()},

    {.group = kLanGroup,
     .flag = "routes",
     .toml = "routes",
     .takes = Takes::kLive,
     .value_name = "NETWORK/BITS[,...]",
     .example = "192.168.7.0/24",
     .sentence = "Networks behind this side, announced to the other: what is "
                 "for them comes here, and what is from them goes there.",
     .field = List<In<&Config::routing, &RoutingConfig::own>, ReadNetwork,
                   TakeAny>()},
    {.group = kLanGroup,
     .flag = "accept-routes",
     .toml = "accept_routes",
     .takes = Takes::kLive,
     .value_name = "private/off/all/NETWORK[,...]",
     .sentence = "Which networks are taken that the other side announces: "
                 "private ones, none, all, or those within what is named.",
     .field = List<In<&Config::routing, &RoutingConfig::accept>, ReadAcceptance,
                   CheckAcceptances>()},
    {.group = kLanGroup,
     .flag = "default-route",
     .toml = "default_route",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kLive,
     .sentence = "Whether all that has no way of its own goes through the "
                 "tunnel, IPv4 and IPv6, from the first connection on.",
     .field = Boolean<In<&Config::routing, &RoutingConfig::default_route>>()},
    {.group = kLanGroup,
     .flag = "default-route-when-down",
     .toml = "default_route_when_down",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kLive,
     .value_name = "keep|release",
     .sentence = "What becomes of that while no hub answers: \"keep\" has it "
                 "go nowhere, \"release\" has it go as without the tunnel.",
     .field = Choice<In<&Config::routing, &RoutingConfig::when_down>>()},
    {.group = kLanGroup,
     .flag = "accept-dns",
     .toml = "accept_dns",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kLive,
     .sentence = "Whether this host asks the name servers that the hub names, "
                 "for all names, while the hub answers.",
     .field = Boolean<In<&Config::routing, &RoutingConfig::accept_dns>>()},
    {.group = kLanGroup,
     .flag = "lan-port",
     .toml = "lan_port",
     .takes = Takes::kRestart,
     .value_name = "INTERFACE/memif:SOCKET",
     .example = "eth1",
     .sentence = "Where hosts of a LAN reach the tunnel without the kernel "
                 "forwarding: an interface, or the path of a memif socket that "
                 "another program connects to.",
     .field = Text<In<&Config::lan, &LanConfig::port>, ReadLanPort>()},
    {.group = kLanGroup,
     .flag = "lan-addr",
     .toml = "lan_addr",
     .takes = Takes::kRestart,
     .value_name = "ADDRESS/BITS[,...]",
     .sentence =
         "This side's address in the LAN of a memif; an interface has its own.",
     .field = List<In<&Config::lan, &LanConfig::addresses>, ReadTunnelAddress,
                   CheckFamilies>()},

    {.group = kPeerGroup,
     .toml = "peer.public_key",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "KEY",
     .example = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=",
     .sentence = "The client's public key, as `lightweight-tunnel pubkey` "
                 "prints it there.",
     .field =
         Text<Each<&Config::hub, &HubConfig::peers, &PeerEntry::public_key>,
              ReadClientKey>()},
    {.group = kPeerGroup,
     .toml = "peer.name",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "NAME",
     .example = "office",
     .optional = true,
     .sentence = "What the client is called in the log and by lwtctl: 1 to 32 "
                 "of a-z, 0-9 and -, the first a letter.",
     .field = Text<Each<&Config::hub, &HubConfig::peers, &PeerEntry::name>,
                   CheckPeerName>()},
    {.group = kPeerGroup,
     .toml = "peer.addresses",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "ADDRESS[,...]",
     .optional = true,
     .sentence = "Tunnel addresses that no other client may have, at most one "
                 "IPv4 and one IPv6.",
     .field = List<Each<&Config::hub, &HubConfig::peers, &PeerEntry::addresses>,
                   ReadHostAddress, CheckHostFamilies>()},
    {.group = kPeerGroup,
     .toml = "peer.allowed_ips",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "NETWORK/BITS[,...]",
     .example = "192.168.7.0/24",
     .optional = true,
     .sentence = "Networks behind the client: packets to them go to it, and "
                 "packets from them are taken from it alone; 0.0.0.0/0 and "
                 "::/0 are all that has no other way.",
     .field =
         List<Each<&Config::hub, &HubConfig::peers, &PeerEntry::allowed_ips>,
              ReadGrant, TakeSome>()},
    {.group = kPeerGroup,
     .toml = "peer.isolated",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .default_text = "false",
     .example = "false",
     .optional = true,
     .sentence = "The same as client_isolation for this client alone: it "
                 "reaches no other client, and none reaches it.",
     .field = Boolean<
         Each<&Config::hub, &HubConfig::peers, &PeerEntry::isolated>>()},
    {.group = kPeerGroup,
     .toml = "peer.fec",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "auto/off/K:M",
     .example = "10:3",
     .optional = true,
     .sentence = "The same as fec for what is sent to this client; without it "
                 "that of all, fec_data and fec_parity included.",
     .field = Text<Each<&Config::hub, &HubConfig::peers, &PeerEntry::fec>,
                   ReadFec>()},
    {.group = kPeerGroup,
     .toml = "peer.rate",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "BITS",
     .example = "20M",
     .optional = true,
     .sentence = "The same as rate for this client alone; without it that of "
                 "all, and 0 is no limit for it.",
     .field = Rate<Each<&Config::hub, &HubConfig::peers, &PeerEntry::rate>>()},
    {.group = kPeerGroup,
     .toml = "peer.rate_in",
     .applies_to = AppliesTo::kServer,
     .takes = Takes::kLive,
     .value_name = "BITS",
     .example = "20M",
     .optional = true,
     .sentence = "The same as rate_in for this client alone; without it that "
                 "of all, and 0 is no limit for it.",
     .field =
         Rate<Each<&Config::hub, &HubConfig::peers, &PeerEntry::rate_in>>()},

    {.group = kHubGroup,
     .toml = "hub.address",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kNextConnection,
     .value_name = "HOST:PORT",
     .example = "hub2.example.com:9000",
     .sentence = "Where the hub is: an address or a name, and its port.",
     .field =
         Text<Each<&Config::client, &ClientConfig::hubs, &HubEntry::address>,
              ReadRemoteAddress>()},
    {.group = kHubGroup,
     .toml = "hub.public_key",
     .applies_to = AppliesTo::kClient,
     .takes = Takes::kNextConnection,
     .value_name = "KEY",
     .example = "vD1t5yk9uMJvVJdTgNVbLRRfAMO3WlMKqkjXQUUuNWc=",
     .sentence = "The only public key that this hub may show, as `lwtctl "
                 "status` prints it there.",
     .field =
         Text<Each<&Config::client, &ClientConfig::hubs, &HubEntry::public_key>,
              ReadServerKey>()},

    {.group = kHostGroup,
     .flag = "state-dir",
     .toml = "state_dir",
     .takes = Takes::kRestart,
     .value_name = "FOLDER",
     .default_text = "/var/lib/lightweight-tunnel/MODE-ADDRESS",
     .sentence =
         "Where this side's own key pair and the keys it has met are kept.",
     .field = Text<In<&Config::host, &HostConfig::state_dir>, CheckPath>()},
    {.group = kHostGroup,
     .flag = "control-socket",
     .toml = "control_socket",
     .takes = Takes::kRestart,
     .value_name = "PATH",
     .default_text = "/run/lightweight-tunnel/MODE-ADDRESS/control.sock",
     .sentence = "Socket that lwtctl talks to. Without RUNTIME_DIRECTORY an "
                 "ordinary user has it in the state_dir that is given.",
     .field = Text<In<&Config::host, &HostConfig::control_socket>,
                   CheckSocketPath>()},
    {.group = kHostGroup,
     .flag = "log-level",
     .toml = "log_level",
     .takes = Takes::kLive,
     .value_name = "error|warn|info|debug",
     .sentence = "The least severe messages that are printed.",
     .field = Choice<In<&Config::host, &HostConfig::log_level>>()},
};

template <size_t... I, size_t... J, size_t... K>
constexpr std::array<Option, sizeof...(I) + sizeof...(J) + sizeof...(K)> Joined(
    std::index_sequence<I...>, std::index_sequence<J...>,
    std::index_sequence<K...>) {
  return {{kFirstRows[I]..., kPacketOptions[J]..., kMetricsOptions[K]...}};
}

constexpr auto kOptions =
    Joined(std::make_index_sequence<std::size(kFirstRows)>(),
           std::make_index_sequence<std::size(kPacketOptions)>(),
           std::make_index_sequence<std::size(kMetricsOptions)>());

}  // namespace

std::span<const Option> Options() { return kOptions; }

}  // namespace lwt::config
