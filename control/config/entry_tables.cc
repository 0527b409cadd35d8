// The tables that stand once for each of their things.
#include "control/config/options.h"

namespace lwt::config {
namespace {

constexpr EntryTable kEntryTables[] = {
    {.name = "peer",
     .applies_to = AppliesTo::kServer,
     .sentence = "What is known of a client, whose public key "
                 "`lightweight-tunnel pubkey` prints on it. More entries "
                 "follow after a comma, or each one below a line [[peer]] at "
                 "the end of the file.",
     .count = [](const Config& config) { return config.hub.peers.size(); },
     .add = [](Config& config) { config.hub.peers.emplace_back(); },
     .copy = [](const Config& from,
                Config& to) { to.hub.peers = from.hub.peers; }},
    {.name = "hub",
     .applies_to = AppliesTo::kClient,
     .ordered = true,
     .sentence =
         "A further hub, tried when the one of remote_addr and those of "
         "entries before it do not answer. More entries follow after a "
         "comma, or each one below a line [[hub]] at the end of the "
         "file; 8 at most.",
     .count = [](const Config& config) { return config.client.hubs.size(); },
     .add = [](Config& config) { config.client.hubs.emplace_back(); },
     .copy = [](const Config& from,
                Config& to) { to.client.hubs = from.client.hubs; }},
};

}  // namespace

std::span<const EntryTable> EntryTables() { return kEntryTables; }

}  // namespace lwt::config
