#include "control/config/options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "control/config/command_line.h"
#include "control/config/nearest_name.h"
#include "control/config/networks.h"
#include "control/config/text.h"
#include "control/config/values.h"
#include "dataplane/session/flow_id.h"

namespace lwt::config {
namespace {

// The member that a path of member pointers leads to: its part, then the field.
template <auto... kPath>
auto& At(Config& config) {
  return (config.*....*kPath);
}

template <auto... kPath>
absl::Status SetBoolean(const Value& value, Config& config) {
  At<kPath...>(config) = value.boolean;
  return absl::OkStatus();
}

// The range in the table fits the member's type.
template <auto... kPath>
absl::Status SetInteger(const Value& value, Config& config) {
  auto& member = At<kPath...>(config);
  member =
      static_cast<std::remove_reference_t<decltype(member)>>(value.integer);
  return absl::OkStatus();
}

// The choices stand in the order of the enumerators from `kFirst` on.
template <int kFirst, auto... kPath>
absl::Status SetChoice(const Value& value, Config& config) {
  auto& member = At<kPath...>(config);
  member = static_cast<std::remove_reference_t<decltype(member)>>(
      value.integer + kFirst);
  return absl::OkStatus();
}

template <auto kRead, auto... kPath>
absl::Status SetRead(const Value& value, Config& config) {
  auto read = kRead(value.text);
  if (!read.ok()) return read.status();
  At<kPath...>(config) = *std::move(read);
  return absl::OkStatus();
}

template <auto kCheck, auto... kPath>
absl::Status SetChecked(const Value& value, Config& config) {
  absl::Status status = kCheck(value.text);
  if (status.ok()) At<kPath...>(config) = value.text;
  return status;
}

absl::Status CheckKeyText(std::string_view text) {
  if (!text.empty() && text.size() <= 1024 &&
      text.find('\0') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return Invalid(
      "a key is 1 to 1024 bytes of text; `lightweight-tunnel genkey` prints "
      "a strong one");
}

absl::Status CheckNetwork(std::string_view text) {
  bool good = !text.empty() && text.size() <= 64 &&
              std::all_of(text.begin(), text.end(),
                          [](char c) { return c > ' ' && c <= '~'; });
  if (good) return absl::OkStatus();
  return Invalid(Quoted(text),
                 " cannot name a network: 1 to 64 printable characters ",
                 "without spaces");
}

absl::Status CheckFile(std::string_view text) {
  if (!text.empty() && text.find('\0') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return Invalid(Quoted(text), " cannot name a file");
}

absl::Status CheckPath(std::string_view text) {
  if (text.starts_with('/') && text.find('\0') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return Invalid(Quoted(text),
                 " is not an absolute path; begin it with a slash");
}

absl::Status CheckSocketPath(std::string_view text) {
  // sun_path has 108 bytes, the terminating zero included (unix(7)).
  if (text.size() < 108) return CheckPath(text);
  return Invalid(Quoted(text),
                 " is longer than the 107 bytes of a socket's path");
}

absl::StatusOr<std::string> ReadServerKey(std::string_view text) {
  return ReadPublicKey(text, "server");
}

constexpr std::string_view kTunnelGroup = "Tunnel";
constexpr std::string_view kKeyGroup = "Keys";
constexpr std::string_view kServerGroup = "Server";
constexpr std::string_view kLanGroup = "Networks";
constexpr std::string_view kHostGroup = "Host";
constexpr std::string_view kUplinkGroup = "Uplink";
constexpr std::string_view kFecGroup = "Loss";
constexpr std::string_view kDataplaneGroup = "Dataplane";

// Choices must follow the order of their enumerators in config.h.
constexpr Option kOptions[] = {
    {kTunnelGroup, "m", "mode", ValueType::kChoice, AppliesTo::kBoth,
     "server|client", "", 0, 0,
     "Which side this is: the server waits for clients, a client connects.",
     SetChoice<1, &Config::mode>},
    {kTunnelGroup, "l", "local_addr", ValueType::kText, AppliesTo::kServer,
     "ADDRESS:PORT", "", 0, 0,
     "Where the server listens; 0.0.0.0 or [::] takes every address.",
     SetRead<ReadListenAddress, &Config::hub, &HubConfig::local>},
    {kTunnelGroup, "r", "remote_addr", ValueType::kText, AppliesTo::kClient,
     "HOST:PORT", "", 0, 0,
     "The server to connect to: an address or a name, and its port.",
     SetRead<ReadRemoteAddress, &Config::client, &ClientConfig::remote>},
    {kTunnelGroup, "t", "tunnel_addr", ValueType::kText, AppliesTo::kBoth,
     "ADDRESS/BITS[,...]", "", 0, 0,
     "This side's address inside the tunnel with its prefix length; one IPv4 "
     "and one IPv6 address, parted by a comma, may be given.",
     SetRead<ReadTunnelAddresses, &Config::tunnel, &TunnelConfig::addresses>},
    {kTunnelGroup, "mtu", "mtu", ValueType::kInteger, AppliesTo::kBoth, "BYTES",
     "0", 0, 9000,
     "Size of the largest packet inside the tunnel; 0 takes the largest that "
     "the uplink carries.",
     SetInteger<&Config::tunnel, &TunnelConfig::mtu>},
    {kTunnelGroup, "tun-name", "tun_name", ValueType::kText, AppliesTo::kBoth,
     "NAME", "lwt0", 0, 0, "Name of the tunnel's network device.",
     SetChecked<CheckInterfaceName, &Config::tunnel, &TunnelConfig::device>},
    {kTunnelGroup, "sni", "sni", ValueType::kText, AppliesTo::kClient, "NAME",
     "www.example.com", 0, 0,
     "Server name that the connection shows to whoever watches it.",
     SetChecked<CheckHostName, &Config::client, &ClientConfig::sni>},
    {kTunnelGroup, "persona", "persona", ValueType::kChoice, AppliesTo::kBoth,
     "auto|linux-6.1|linux-6.18", "auto", 0, 0,
     "Whose TCP the connection shows: the window scale of a kernel before or "
     "since 6.16, and its pace of repeated SYNs; \"auto\" is the running one.",
     SetChoice<0, &Config::uplink, &UplinkConfig::persona>},

    {kKeyGroup, "k", "key", ValueType::kText, AppliesTo::kBoth, "KEY", "", 0, 0,
     "The shared key, the same on both sides; `lightweight-tunnel genkey` "
     "prints a strong one.",
     SetChecked<CheckKeyText, &Config::key, &KeyConfig::text>},
    {kKeyGroup, "key-file", "key_file", ValueType::kText, AppliesTo::kBoth,
     "FILE", "", 0, 0,
     "File whose first line is the shared key; takes the place of key.",
     SetChecked<CheckFile, &Config::key, &KeyConfig::file>},
    {kKeyGroup, "network", "network", ValueType::kText, AppliesTo::kBoth,
     "NAME", "default", 0, 0,
     "Name mixed into the key, the same on both sides; tunnels of different "
     "names never join, even with one key.",
     SetChecked<CheckNetwork, &Config::key, &KeyConfig::network>},
    {kKeyGroup, "encryption", "encryption", ValueType::kChoice,
     AppliesTo::kBoth, "aes-256-gcm|none", "aes-256-gcm", 0, 0,
     "\"none\" runs without a shared key: anyone may join the tunnel.",
     SetChoice<0, &Config::key, &KeyConfig::encryption>},
    {kKeyGroup, "server-public-key", "server_public_key", ValueType::kText,
     AppliesTo::kClient, "KEY", "", 0, 0,
     "Public key that the server must show; without it the one of the first "
     "connection is kept.",
     SetRead<ReadServerKey, &Config::client, &ClientConfig::server_public_key>},

    {kServerGroup, "multi-client", "multi_client", ValueType::kBoolean,
     AppliesTo::kServer, "", "true", 0, 0,
     "Whether more than one client may connect.",
     SetBoolean<&Config::hub, &HubConfig::multi_client>},
    {kServerGroup, "max-clients", "max_clients", ValueType::kInteger,
     AppliesTo::kServer, "COUNT", "100", 1, 10000,
     "How many clients may be connected at once.",
     SetInteger<&Config::hub, &HubConfig::max_clients>},

    {kServerGroup, "fallback", "fallback", ValueType::kText, AppliesTo::kServer,
     "HOST:PORT", "", 0, 0,
     "A real TLS service, such as a web server, that whoever connects without "
     "the key meets; without it he meets a TLS alert.",
     SetRead<ReadRemoteAddress, &Config::hub, &HubConfig::fallback>},

    {kLanGroup, "routes", "routes", ValueType::kText, AppliesTo::kClient,
     "NETWORK/BITS[,...]", "", 0, 0,
     "Networks behind the server: packets to them enter the tunnel, and "
     "packets "
     "from them are let out of it.",
     SetRead<ReadNetworks, &Config::client, &ClientConfig::routes>},
    {kLanGroup, "lan-port", "lan_port", ValueType::kText, AppliesTo::kBoth,
     "INTERFACE/memif:SOCKET", "", 0, 0,
     "Where hosts of a LAN reach the tunnel without the kernel forwarding: an "
     "interface, or the path of a memif socket that another program connects "
     "to.",
     SetRead<ReadLanPort, &Config::lan, &LanConfig::port>},
    {kLanGroup, "lan-addr", "lan_addr", ValueType::kText, AppliesTo::kBoth,
     "ADDRESS/BITS[,...]", "", 0, 0,
     "This side's address in the LAN of a memif; an interface has its own.",
     SetRead<ReadTunnelAddresses, &Config::lan, &LanConfig::addresses>},

    {kHostGroup, "state-dir", "state_dir", ValueType::kText, AppliesTo::kBoth,
     "FOLDER", "/var/lib/lightweight-tunnel/MODE-ADDRESS", 0, 0,
     "Where this side's own key pair and the keys it has met are kept.",
     SetChecked<CheckPath, &Config::host, &HostConfig::state_dir>},
    {kHostGroup, "control-socket", "control_socket", ValueType::kText,
     AppliesTo::kBoth, "PATH",
     "/run/lightweight-tunnel/MODE-ADDRESS/control.sock", 0, 0,
     "Socket that lwtctl talks to.",
     SetChecked<CheckSocketPath, &Config::host, &HostConfig::control_socket>},
    {kHostGroup, "log-level", "log_level", ValueType::kChoice, AppliesTo::kBoth,
     "error|warn|info|debug", "info", 0, 0,
     "The least severe messages that are printed.",
     SetChoice<0, &Config::host, &HostConfig::log_level>},

    {kUplinkGroup, "uplink", "uplink.driver", ValueType::kChoice,
     AppliesTo::kBoth, "auto|af_packet|af_xdp", "auto", 0, 0,
     "How frames reach the network: af_xdp where it is the faster one, "
     "af_packet everywhere else; \"auto\" chooses and says why.",
     SetChoice<0, &Config::uplink, &UplinkConfig::driver>},
    {kUplinkGroup, "uplink-interface", "uplink.interface", ValueType::kText,
     AppliesTo::kBoth, "NAME", "", 0, 0,
     "Network interface to use; without it the one that the route to the "
     "other side, or the listen address, leads to.",
     SetChecked<CheckInterfaceName, &Config::uplink, &UplinkConfig::interface>},
    {kUplinkGroup, "super-frames", "uplink.super_frames", ValueType::kBoolean,
     AppliesTo::kBoth, "", "true", 0, 0,
     "Whether af_packet hands runs of segments to the kernel as one; false "
     "sends each by itself.",
     SetBoolean<&Config::uplink, &UplinkConfig::super_frames>},

    {kFecGroup, "fec", "fec", ValueType::kText, AppliesTo::kBoth,
     "auto/off/K:M", "auto", 0, 0,
     "Parity sent against loss: \"auto\" follows the loss that the other side "
     "reports and costs nothing without loss; K:M is M parities to K packets.",
     SetRead<ReadFec, &Config::fec, &FecConfig::choice>},
    {kFecGroup, "fec-data", "fec_data", ValueType::kInteger, AppliesTo::kBoth,
     "COUNT", "0", 0, fec::kMaxData,
     "Packets of a group with a fixed code, unless fec is \"off\"; 0 leaves it "
     "to fec.",
     SetInteger<&Config::fec, &FecConfig::data>},
    {kFecGroup, "fec-parity", "fec_parity", ValueType::kInteger,
     AppliesTo::kBoth, "COUNT", "3", 0, fec::kMaxParity,
     "Parities of a group where fec_data is given.",
     SetInteger<&Config::fec, &FecConfig::parity>},
    {kFecGroup, "fec-flush-us", "fec_flush_us", ValueType::kInteger,
     AppliesTo::kBoth, "MICROSECONDS", "2000", 50, 1'000'000,
     "How long a group waits for more packets before its parities leave; "
     "packets themselves never wait.",
     SetInteger<&Config::fec, &FecConfig::flush_us>},
    {kFecGroup, "fec-interleave-us", "fec_interleave_us", ValueType::kInteger,
     AppliesTo::kBoth, "MICROSECONDS", "20000", 0, 1'000'000,
     "The same where groups take turns because losses come in bursts; 0 never "
     "lets them.",
     SetInteger<&Config::fec, &FecConfig::interleave_us>},

    {kDataplaneGroup, "tunnel-port", "dataplane.tunnel_port",
     ValueType::kChoice, AppliesTo::kBoth, "auto|offload|tap", "auto", 0, 0,
     "How packets reach the tunnel device: \"offload\" moves many in one call "
     "and leaves their checksums open, \"tap\" is the driver of DPDK; "
     "\"auto\" takes the first where the kernel has it.",
     SetChoice<0, &Config::tunnel, &TunnelConfig::port>},
    {kDataplaneGroup, "workers", "dataplane.workers", ValueType::kInteger,
     AppliesTo::kBoth, "COUNT", "0", 0, kMaxWorkers,
     "Threads that move packets, each on a CPU of its own; 0 takes one, but on "
     "a server with more than two CPUs one for each but the first, 8 at most.",
     SetInteger<&Config::workers, &WorkerConfig::count>},
    {kDataplaneGroup, "pinning", "dataplane.pinning", ValueType::kChoice,
     AppliesTo::kBoth, "auto|on|off", "auto", 0, 0,
     "Whether each worker stays on one CPU or is placed by the system among "
     "those allowed; \"auto\" pins with \"idle\" = \"busy\" or on four CPUs "
     "and more, since on fewer the rest of the host needs the same ones.",
     SetChoice<0, &Config::workers, &WorkerConfig::pinning>},
    {kDataplaneGroup, "memory", "dataplane.memory", ValueType::kChoice,
     AppliesTo::kBoth, "auto|hugepages|no-huge", "auto", 0, 0,
     "Where packet memory comes from; \"auto\" takes hugepages when enough "
     "are free.",
     SetChoice<0, &Config::workers, &WorkerConfig::memory>},
    {kDataplaneGroup, "idle", "dataplane.idle", ValueType::kChoice,
     AppliesTo::kBoth, "adaptive|busy", "adaptive", 0, 0,
     "What a worker without work does: \"adaptive\" sleeps, \"busy\" polls on "
     "and needs a core of its own.",
     SetChoice<0, &Config::workers, &WorkerConfig::idle>},
    {kDataplaneGroup, "retransmit", "dataplane.retransmit", ValueType::kBoolean,
     AppliesTo::kBoth, "", "true", 0, 0,
     "Whether lost records are sent again; handshakes always are. false is for "
     "tests.",
     SetBoolean<&Config::workers, &WorkerConfig::retransmit>},
    {kDataplaneGroup, "rekey-records", "dataplane.rekey_records",
     ValueType::kInteger, AppliesTo::kBoth, "COUNT", "268435456", 1024,
     int64_t{1} << 32, "Records after which the session's keys are renewed.",
     SetInteger<&Config::rekey, &RekeyLimits::records>},
    {kDataplaneGroup, "rekey-seconds", "dataplane.rekey_seconds",
     ValueType::kInteger, AppliesTo::kBoth, "SECONDS", "120", 5, 86400,
     "Seconds after which the session's keys are renewed.",
     SetInteger<&Config::rekey, &RekeyLimits::seconds>},
    {kDataplaneGroup, "arena-mib", "dataplane.arena_mib", ValueType::kInteger,
     AppliesTo::kBoth, "MIB", "0", 0, 1024,
     "Memory of each worker for records that may have to be sent again, 2 KiB "
     "each; 0 takes 12 on a client and 64 on a server.",
     SetInteger<&Config::workers, &WorkerConfig::arena_mib>},
};

absl::Status ReadInteger(std::string_view text, Value& value) {
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value.integer);
  if (error == std::errc() && stop == end) return absl::OkStatus();
  return Invalid(Quoted(text), " is not a whole number");
}

absl::Status ReadBoolean(std::string_view text, Value& value) {
  value.boolean = text == "true";
  if (value.boolean || text == "false") return absl::OkStatus();
  return Invalid(Quoted(text), " is neither true nor false");
}

std::string ListOf(const Option& option) {
  return absl::StrReplaceAll(ToAbsl(option.value_name), {{"|", ", "}});
}

absl::Status FindChoice(const Option& option, Value& value) {
  value.integer = 0;
  std::vector<std::string_view> names;
  for (absl::string_view part :
       absl::StrSplit(ToAbsl(option.value_name), '|')) {
    std::string_view choice = ToStd(part);
    if (choice == value.text) return absl::OkStatus();
    ++value.integer;
    names.push_back(choice);
  }
  std::string_view near = NearestName(value.text, names);
  return Invalid(
      Quoted(value.text), " is none of ", ListOf(option),
      near.empty() ? "" : Concat(" (did you mean ", Quoted(near), "?)"));
}

}  // namespace

std::span<const Option> Options() { return kOptions; }

const Option* FindByFlag(std::string_view flag) {
  for (const Option& option : kOptions) {
    if (option.flag == flag) return &option;
  }
  return nullptr;
}

const Option* FindByToml(std::string_view dotted_key) {
  for (const Option& option : kOptions) {
    if (option.toml == dotted_key) return &option;
  }
  return nullptr;
}

bool IsTable(std::string_view name) {
  for (const Option& option : kOptions) {
    if (option.toml.size() > name.size() && option.toml.starts_with(name) &&
        option.toml[name.size()] == '.') {
      return true;
    }
  }
  return false;
}

absl::Status Apply(const Option& option, const Value& value, Config& config) {
  if (option.type == ValueType::kInteger &&
      (value.integer < option.min || value.integer > option.max)) {
    return Invalid(value.integer, " is not between ", option.min, " and ",
                   option.max);
  }
  if (option.type == ValueType::kChoice) {
    Value chosen = value;
    absl::Status status = FindChoice(option, chosen);
    return status.ok() ? option.set(chosen, config) : status;
  }
  return option.set(value, config);
}

absl::Status ApplyText(const Option& option, std::string_view text,
                       Config& config) {
  Value value;
  absl::Status status;
  switch (option.type) {
    case ValueType::kText:
    case ValueType::kChoice:
      value.text = std::string(text);
      break;
    case ValueType::kInteger:
      status = ReadInteger(text, value);
      break;
    case ValueType::kBoolean:
      status = ReadBoolean(text, value);
      break;
  }
  return status.ok() ? Apply(option, value, config) : status;
}

std::string NearestFlagHint(std::string_view flag) {
  // The name of the file's key is a good guess at a flag: -mode, -local_addr.
  std::string toml(flag);
  std::replace(toml.begin(), toml.end(), '-', '_');
  if (const Option* option = FindByToml(toml)) {
    return Concat(" (did you mean -", option->flag, "?)");
  }
  std::vector<std::string_view> names;
  for (const Option& option : kOptions) names.push_back(option.flag);
  for (const CommandFlag& command : CommandFlags()) {
    names.push_back(command.flag);
  }
  std::string_view near = NearestName(flag, names);
  return near.empty() ? "" : Concat(" (did you mean -", near, "?)");
}

std::string NearestTomlHint(std::string_view dotted_key) {
  size_t dot = dotted_key.rfind('.');
  std::string_view last = dotted_key.substr(dot + 1);  // npos + 1 is 0
  std::vector<std::string_view> names;
  for (const Option& option : kOptions) names.push_back(option.toml);
  std::string_view near = NearestName(dotted_key, names);
  // A key in the wrong table, or a flag's name taken for a key.
  for (const Option& option : kOptions) {
    size_t start = option.toml.rfind('.') + 1;
    if (near.empty() &&
        (option.toml.substr(start) == last || option.flag == last)) {
      near = option.toml;
    }
  }
  return near.empty() ? "" : Concat(" (did you mean ", Quoted(near), "?)");
}

}  // namespace lwt::config
