#include "control/config/hub_entries.h"

#include "control/base/text.h"
#include "control/config/load.h"
#include "control/config/options.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

// "client.toml:9: [[hub]] h:1 ", or without the place where it is not known.
std::string Entry(const Config& config, size_t entry, std::string_view key,
                  const Origins* origins) {
  const Option& row = *FindByToml(key);
  const std::string_view place =
      origins == nullptr ? "" : origins->Of(row, entry);
  return Concat(place, place.empty() ? "" : ": ", "[[hub]] ",
                ToText(config.client.hubs[entry].address), " ");
}

void CheckAddresses(const Config& config, const Origins* origins,
                    std::vector<std::string>& faults) {
  const std::vector<HubEntry>& hubs = config.client.hubs;
  for (size_t i = 0; i < hubs.size(); ++i) {
    const std::string entry = Entry(config, i, "hub.address", origins);
    if (config.client.remote && hubs[i].address == *config.client.remote) {
      faults.push_back(
          Concat(entry, "is remote_addr as well: remove one of ", "the two"));
    }
    for (size_t j = 0; j < i; ++j) {
      if (hubs[i].address != hubs[j].address) continue;
      faults.push_back(Concat(entry, "has two entries: remove one of them"));
      break;
    }
  }
}

}  // namespace

void CheckHubs(const Config& config, const Origins* origins,
               std::vector<std::string>& faults) {
  const ClientConfig& client = config.client;
  if (config.mode == Mode::kServer && !client.hubs.empty()) {
    faults.push_back(
        "[[hub]] is for clients: remove the entries, or run with -m client");
    return;
  }
  if (config.mode == Mode::kClient && !client.remote && !client.hubs.empty() &&
      !client.server_public_key.empty()) {
    faults.push_back(
        "server_public_key is that of remote_addr, which is not given: write "
        "public_key into its entry [[hub]] instead");
  }
  if (client.hubs.size() > kMaxHubEntries) {
    faults.push_back(
        Concat(Entry(config, kMaxHubEntries, "hub.address", origins),
               "is entry ", kMaxHubEntries + 1, " of ", client.hubs.size(),
               ": keep at most ", kMaxHubEntries));
  }
  CheckAddresses(config, origins, faults);
}

absl::Status CheckNotOwnKey(const Config& config, std::string_view own_key,
                            const Origins* origins) {
  const std::vector<HubEntry>& hubs = config.client.hubs;
  for (size_t i = 0; i < hubs.size(); ++i) {
    if (hubs[i].public_key != own_key) continue;
    return Invalid(Entry(config, i, "hub.public_key", origins),
                   "has this client's own public key: write the one that "
                   "`lwtctl status` prints on that hub");
  }
  return absl::OkStatus();
}

}  // namespace lwt::config
