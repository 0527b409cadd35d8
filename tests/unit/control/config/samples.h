// A value that differs from the default for each setting that has a flag.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/networks.h"
#include "control/config/values.h"

namespace lwt::config {

// A value that differs from the default, as the flag has it, and the check
// that it arrived.
struct Sample {
  std::string text;
  std::function<bool(const Config&)> arrived;
};

inline const std::string kPublicKey =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

inline const std::map<std::string, Sample>& FecSamples() {
  using C = const Config&;
  static const auto* samples = new std::map<std::string, Sample>{
      {"fec",
       {"8:6",
        [](C c) {
          return c.fec.Settings().mode == fec::Mode::kFixed &&
                 c.fec.Settings().fixed == fec::Parameters{8, 6, 1};
        }}},
      {"fec_data",
       {"64", [](C c) { return c.fec.Settings().fixed.data == 64; }}},
      {"fec_parity", {"32", [](C c) { return c.fec.parity == 32; }}},
      {"fec_flush_us", {"500", [](C c) { return c.fec.flush_us == 500; }}},
      {"fec_interleave_us",
       {"0", [](C c) { return c.fec.Settings().interleave_us == 0; }}}};
  return *samples;
}

inline const std::map<std::string, Sample>& MetricsSamples() {
  using C = const Config&;
  static const auto* samples = new std::map<std::string, Sample>{
      {"metrics.listen",
       {"127.0.0.1:9464",
        [](C c) { return ToText(c.metrics.listen) == "127.0.0.1:9464"; }}},
      {"metrics.allow_remote",
       {"true", [](C c) { return c.metrics.allow_remote; }}}};
  return *samples;
}

inline const std::map<std::string, Sample>& NetworkSamples() {
  using C = const Config&;
  static const auto* samples = new std::map<std::string, Sample>{
      {"routes",
       {"192.168.7.0/24",
        [](C c) {
          return c.routing.own ==
                 std::vector{ReadNetwork("192.168.7.0/24").value()};
        }}},
      {"accept_routes",
       {"all",
        [](C c) {
          return c.routing.accept == std::vector{ReadAcceptance("all").value()};
        }}},
      {"default_route", {"true", [](C c) { return c.routing.default_route; }}},
      {"default_route_when_down",
       {"release",
        [](C c) { return c.routing.when_down == WhenDown::kRelease; }}},
      {"accept_dns", {"true", [](C c) { return c.routing.accept_dns; }}},
      {"dns",
       {"10.0.0.1,fd00::1",
        [](C c) {
          return c.hub.dns == std::vector{ReadHostAddress("10.0.0.1").value(),
                                          ReadHostAddress("fd00::1").value()};
        }}},
      {"dns_search",
       {"corp.example",
        [](C c) {
          return c.hub.dns_search == std::vector<std::string>{"corp.example"};
        }}},
      {"lan_port",
       {"memif:/run/lan.sock",
        [](C c) { return c.lan.port.memif_socket == "/run/lan.sock"; }}},
      {"lan_addr", {"192.168.7.1/24", [](C c) {
                      return c.lan.addresses ==
                             std::vector{
                                 ReadTunnelAddress("192.168.7.1/24").value()};
                    }}}};
  return *samples;
}

inline const std::map<std::string, Sample>& DataplaneSamples() {
  using C = const Config&;
  static const auto* samples = new std::map<std::string, Sample>{
      {"dataplane.workers", {"3", [](C c) { return c.workers.count == 3; }}},
      {"dataplane.pinning",
       {"off", [](C c) { return c.workers.pinning == Pinning::kOff; }}},
      {"dataplane.memory",
       {"no-huge",
        [](C c) { return c.workers.memory == MemoryMode::kNoHuge; }}},
      {"dataplane.tunnel_port",
       {"tap", [](C c) { return c.tunnel.port == TunnelPort::kTap; }}},
      {"dataplane.idle",
       {"busy", [](C c) { return c.workers.idle == Idle::kBusy; }}},
      {"dataplane.retransmit",
       {"false", [](C c) { return !c.workers.retransmit; }}},
      {"dataplane.rekey_records",
       {"16384", [](C c) { return c.rekey.records == 16384; }}},
      {"dataplane.rekey_seconds",
       {"30", [](C c) { return c.rekey.seconds == 30; }}},
      {"dataplane.arena_mib",
       {"16", [](C c) { return c.arena_bytes() == 16u << 20; }}},
  };
  return *samples;
}

inline const std::map<std::string, Sample>& QueueSamples() {
  using C = const Config&;
  static const auto* samples = new std::map<std::string, Sample>{
      {"rate",
       {"50M", [](C c) { return c.queues.rate.bits_per_s == 50'000'000; }}},
      {"rate_in",
       {"1500k", [](C c) { return c.queues.rate_in.bits_per_s == 1'500'000; }}},
      {"uplink.rate",
       {"1G",
        [](C c) { return c.queues.uplink_rate.bits_per_s == 1'000'000'000; }}},
      {"send_queue", {"70", [](C c) { return c.queues.send == 70; }}}};
  return *samples;
}

inline const std::map<std::string, Sample>& HubSamples() {
  using C = const Config&;
  static const auto* samples = new std::map<std::string, Sample>{
      {"address_pool",
       {"10.0.0.128/25",
        [](C c) {
          return c.hub.address_pool ==
                 std::vector{ReadNetwork("10.0.0.128/25").value()};
        }}},
      {"client_isolation",
       {"true", [](C c) { return c.hub.client_isolation; }}},
      {"config_push_interval",
       {"3600", [](C c) { return c.hub.push_interval_s == 3600; }}},
      {"max_clients", {"7", [](C c) { return c.hub.max_clients == 7; }}},
      {"stun", {"open", [](C c) { return c.hub.stun == Stun::kOpen; }}},
      {"multi_client", {"false", [](C c) { return !c.hub.multi_client; }}},
      {"fallback", {"127.0.0.1:8443", [](C c) {
                      return c.hub.fallback == HostPort{"127.0.0.1", 8443};
                    }}}};
  return *samples;
}

inline bool ListensAt(const Config& config, std::string_view place) {
  return config.hub.local == std::vector{*ParseEndpoint(place)};
}

inline const std::map<std::string, Sample>& Samples() {
  using C = const Config&;
  static auto* samples = new std::map<std::string, Sample>{
      {"mode", {"client", [](C c) { return c.mode == Mode::kClient; }}},
      {"local_addr",
       {"[2001:db8::1]:9000",
        [](C c) { return ListensAt(c, "[2001:db8::1]:9000"); }}},
      {"remote_addr",
       {"vpn.example.com:443",
        [](C c) {
          return c.client.remote == HostPort{"vpn.example.com", 443};
        }}},
      {"tunnel_addr",
       {"10.9.0.1/24,fd00::1/64",
        [](C c) {
          return c.tunnel.addresses.size() == 2 &&
                 c.tunnel.addresses[0] == ParseIpPrefix("10.9.0.1/24") &&
                 c.tunnel.addresses[1] == ParseIpPrefix("fd00::1/64");
        }}},
      {"mtu", {"1380", [](C c) { return c.tunnel.mtu == 1380; }}},
      {"tun_name", {"vpn7", [](C c) { return c.tunnel.device == "vpn7"; }}},
      {"enable_nat_detection",
       {"true", [](C c) { return c.client.nat_detection; }}},
      {"sni",
       {"cdn.example.net",
        [](C c) { return c.client.sni == "cdn.example.net"; }}},
      {"key",
       {"a long secret", [](C c) { return c.key.text == "a long secret"; }}},
      {"key_file", {"/k", [](C c) { return c.key.file == "/k"; }}},
      {"key_grace", {"0", [](C c) { return c.key.grace_s == 0; }}},
      {"network", {"office", [](C c) { return c.key.network == "office"; }}},
      {"encryption",
       {"none", [](C c) { return c.key.encryption == Encryption::kNone; }}},
      {"server_public_key",
       {kPublicKey,
        [](C c) { return c.client.server_public_key == kPublicKey; }}},
      {"state_dir", {"/s", [](C c) { return c.host.state_dir == "/s"; }}},
      {"control_socket",
       {"/c.sock", [](C c) { return c.host.control_socket == "/c.sock"; }}},
      {"log_level",
       {"debug", [](C c) { return c.host.log_level == LogLevel::kDebug; }}},
      {"uplink.driver",
       {"af_xdp", [](C c) { return c.uplink.driver == UplinkDriver::kAfXdp; }}},
      {"uplink.interface",
       {"eth7", [](C c) { return c.uplink.interface == "eth7"; }}},
      {"uplink.super_frames",
       {"false", [](C c) { return !c.uplink.super_frames; }}},
      {"multicast",
       {"hub", [](C c) { return c.tunnel.multicast == Multicast::kHub; }}},
      {"persona",
       {"linux-6.1",
        [](C c) { return c.uplink.persona == PersonaChoice::kLinux61; }}},
  };
  samples->insert(DataplaneSamples().begin(), DataplaneSamples().end());
  samples->insert(HubSamples().begin(), HubSamples().end());
  samples->insert(FecSamples().begin(), FecSamples().end());
  samples->insert(NetworkSamples().begin(), NetworkSamples().end());
  samples->insert(MetricsSamples().begin(), MetricsSamples().end());
  samples->insert(QueueSamples().begin(), QueueSamples().end());
  return *samples;
}

}  // namespace lwt::config
