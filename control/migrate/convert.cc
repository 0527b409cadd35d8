#include "control/migrate/convert.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "control/base/text.h"
#include "control/config/options.h"
#include "control/config/values.h"
#include "control/handshake/psk.h"

namespace lwt::migrate {
namespace {

using config::Concat;
using config::Mode;
using config::ToStd;

// The most that passed there with a key.
constexpr int64_t kLargestOldMtu = 1371;

class Converter {
 public:
  explicit Converter(const OldSettings& old) : old_(old) {}

  absl::StatusOr<Converted> Run() {
    for (const std::string& name : old_.unknown) {
      out_.unknown.push_back(config::Quoted(name));
    }
    Take("mode");
    TakeEnds();
    TakeTunnel();
    TakeKey();
    TakeFec();
    TakeClients();
    TakeRoutes();
    for (const OldKey& key : OldKeys()) {
      if (!key.gone.empty() && Given(key.key)) Gone(key.key, key.gone);
    }
    if (faults_.empty()) {
      std::vector<std::string> warnings;
      const absl::Status agree = config::Finish(out_.config, warnings);
      if (!agree.ok()) faults_.emplace_back(ToStd(agree.message()));
    }
    if (faults_.empty()) return std::move(out_);
    return absl::InvalidArgumentError(absl::StrJoin(faults_, "\n"));
  }

 private:
  bool Given(std::string_view key) const {
    return old_.known.contains(std::string(key));
  }
  // What was in force there.
  std::string Text(std::string_view key) const {
    const auto found = old_.known.find(std::string(key));
    return std::string(found == old_.known.end() ? FindOldKey(key)->usual
                                                 : found->second.text);
  }
  int64_t Number(std::string_view key) const {
    int64_t number = 0;
    (void)absl::SimpleAtoi(Text(key), &number);
    return number;
  }
  bool is_hub() const { return out_.config.mode == Mode::kServer; }

  void Kept(std::string_view key) {
    if (Given(key)) out_.kept.emplace_back(key);
  }
  void Changed(std::string_view key, std::string_view sentence) {
    if (Given(key)) out_.changed.push_back(Concat(key, ": ", sentence));
  }
  void Gone(std::string_view key, std::string_view sentence) {
    if (Given(key)) out_.gone.push_back(Concat(key, ": ", sentence));
  }
  bool Set(std::string_view key, std::string_view text) {
    const absl::Status status =
        config::ApplyText(*config::FindByToml(key), text, out_.config);
    if (!status.ok()) faults_.push_back(Concat(key, ": ", status.message()));
    return status.ok();
  }
  // As it was, default or not.
  void Take(std::string_view key) {
    if (Set(key, Text(key))) Kept(key);
  }

  void TakeEnds() {
    if (is_hub()) {
      Take("local_addr");
      if (!Text("remote_addr").empty()) {
        Gone("remote_addr", "a hub connects to nobody");
      } else {
        Kept("remote_addr");
      }
      return;
    }
    if (Text("remote_addr").empty()) {
      faults_.emplace_back("remote_addr: a client needs its hub's");
    } else {
      Take("remote_addr");
    }
    Gone("local_addr", "a client's port is another one for each connection");
  }

  void TakeTunnel() {
    constexpr std::string_view kDefault = "10.0.0.1/24";
    if (!is_hub() && Text("tunnel_addr") == kDefault) {
      (void)Set("tunnel_addr", "10.0.0.2/24");
      Changed("tunnel_addr",
              "10.0.0.2/24 is written, to which that program moved a client "
              "with the default");
    } else {
      Take("tunnel_addr");
    }
    if (Text("tun_name").empty()) {
      Kept("tun_name");
    } else {
      Take("tun_name");
    }
    const int64_t mtu = Number("mtu");
    const bool usual = mtu == 0 || Text("mtu") == FindOldKey("mtu")->usual;
    if (!usual && mtu >= config::kLeastMtuIpv4 && mtu <= kLargestOldMtu) {
      Take("mtu");
    } else {
      Changed("mtu",
              "left to the gateway, which takes what the uplink "
              "carries: 1409 on Ethernet");
    }
  }

  void TakeKey() {
    if (Text("key").empty()) {
      out_.config.key.text = handshake::GenerateKey();
      Changed("key",
              "it was empty, with which no tunnel came up; a fresh one "
              "is in the file, for all ends");
    } else if (Set("key", Text("key"))) {
      Kept("key");
    }
  }

  // There they did nothing, or made one XOR parity.
  void TakeFec() {
    const int64_t data = Number("fec_data");
    const int64_t parity = Number("fec_parity");
    const bool usual = Text("fec_data") == FindOldKey("fec_data")->usual &&
                       Text("fec_parity") == FindOldKey("fec_parity")->usual;
    std::string_view sentence =
        "left to fec = \"auto\", which follows the loss and costs nothing "
        "without";
    if (!usual && (data <= 0 || parity <= 0)) {
      out_.config.fec.choice.mode = fec::Mode::kOff;
      sentence = "fec = \"off\"; \"auto\" costs nothing while nothing is lost";
    } else if (!usual && data <= fec::kMaxData && parity <= fec::kMaxParity) {
      out_.config.fec.data = static_cast<uint8_t>(data);
      out_.config.fec.parity = static_cast<uint8_t>(parity);
      sentence =
          "as before, but now they are real: parities always cost their share "
          "of the line; fec = \"auto\" does not";
    }
    Changed("fec_data", sentence);
    Changed("fec_parity", sentence);
  }

  void TakeClients() {
    const config::Option& most = *config::FindByToml("max_clients");
    const int64_t clients = Number("max_clients");
    if (!is_hub()) {
      // Only where it stood there: it is off by default here.
      if (Given("enable_nat_detection")) Take("enable_nat_detection");
      for (const char* key : {"multi_client", "max_clients", "client_isolation",
                              "config_push_interval"}) {
        Gone(key, "it is the hub's, and did nothing here");
      }
      return;
    }
    Gone("enable_nat_detection", "it is a client's: a hub answers by itself");
    Take("multi_client");
    Take("config_push_interval");
    if (clients < most.min || clients > most.max) {
      const int64_t nearest = std::clamp(clients, most.min, most.max);
      (void)Set("max_clients", Concat(nearest));
      Changed("max_clients", Concat(nearest, ", which is nearest"));
    } else {
      Take("max_clients");
    }
    Take("client_isolation");
  }

  // As there, but that a network may have to be refused.
  void TakeRoutes() {
    const auto found = old_.known.find("routes");
    if (found == old_.known.end()) return;
    std::string networks;
    for (const std::string& network : found->second.list) {
      networks += Concat(networks.empty() ? "" : ",", network);
    }
    const config::Option& routes = *config::FindByToml("routes");
    if (config::ApplyText(routes, networks, out_.config).ok() ||
        networks.empty()) {
      Kept("routes");
    } else {
      Changed("routes",
              Concat("NOT KEPT, for one of them cannot be announced: ",
                     config::Quoted(networks)));
    }
  }

  const OldSettings& old_;
  Converted out_;
  std::vector<std::string> faults_;
};

std::string Lines(std::string_view head,
                  const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += Concat(head, line, "\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<Converted> Convert(const OldSettings& old) {
  return Converter(old).Run();
}

std::string Report(const Converted& converted) {
  std::string text;
  if (!converted.kept.empty()) {
    text = Concat("kept: ", absl::StrJoin(converted.kept, ", "), "\n");
  }
  text += Lines("changed: ", converted.changed);
  text += Lines("gone: ", converted.gone);
  text += Lines("passed over, as it was there: ", converted.unknown);
  return text;
}

}  // namespace lwt::migrate
