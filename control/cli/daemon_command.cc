#include "control/cli/daemon_command.h"

#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <span>

#include "absl/strings/str_split.h"
#include "control/base/text.h"
#include "control/cli/import_command.h"
#include "control/cli/new_file.h"
#include "control/cli/print.h"
#include "control/cli/pubkey_command.h"
#include "control/cli/version.h"
#include "control/config/hub_entries.h"
#include "control/config/reference.h"
#include "control/config/values.h"
#include "control/config/write_toml.h"
#include "control/handshake/psk.h"
#include "control/handshake/static_key.h"
#include "control/host/instance/instance_spec.h"

namespace lwt::cli {
namespace {

using config::Action;
using config::Concat;
using config::ToAbsl;

constexpr char kHelpHead[] =
    R"(lightweight-tunnel carries IP packets between sites inside frames that look
like ordinary TCP.

On two hosts, then `ping 10.86.27.1` on the second:
  lightweight-tunnel -m server -l 0.0.0.0:9000 -t 10.86.27.1/24 -k "my-secret-password-2024"
  lightweight-tunnel -m client -r SERVER:9000 -t 10.86.27.2/24 -k "my-secret-password-2024"

It runs as root, in the foreground; lwtctl shows its state. Flags take one or
two dashes, `-x v` or `-x=v`; a boolean is switched off by `-x=false`.

Commands:
)";

constexpr std::string_view kSeeHelp = "-h lists all flags";

// Each line of `text` after the program's name.
void Complain(std::string_view text) {
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    Print(stderr, Concat("lightweight-tunnel: ", line, "\n"));
  }
}

Begin Done(int exit_code) { return {true, exit_code, Action::kRun, {}, {}}; }

// What the start would find in the state directory, if this user may read it.
absl::Status CheckOwnKey(const config::Config& config,
                         const config::Origins& origins) {
  if (config.client.hubs.empty()) return absl::OkStatus();
  const auto own = handshake::OwnPublicKey(host::PathsOf(config).state_dir);
  if (!own.ok()) return absl::OkStatus();
  return config::CheckNotOwnKey(config, handshake::PublicKeyToText(*own),
                                &origins);
}

Begin BeginWithConfig(const config::CommandLine& command_line) {
  Begin begin;
  begin.action = command_line.action;
  bool complete = command_line.action != Action::kPreflight;
  absl::StatusOr<config::LoadedConfig> loaded =
      config::LoadConfig(command_line, complete);
  if (!loaded.ok()) {
    Complain(config::ToStd(loaded.status().message()));
    if (command_line.options.empty() && command_line.config_file.empty()) {
      Complain(kSeeHelp);
    }
    return Done(absl::IsInvalidArgument(loaded.status()) ? kExitUsage
                                                         : kExitFailure);
  }
  for (const std::string& warning : loaded->warnings) {
    Complain(Concat("warning: ", warning));
  }
  begin.config = std::move(loaded->config);
  switch (command_line.action) {
    case Action::kCheckConfig:
      if (absl::Status own = CheckOwnKey(begin.config, loaded->origins);
          !own.ok()) {
        begin.config.key.Erase();
        Complain(config::ToStd(own.message()));
        return Done(kExitFailure);
      }
      Print(stdout, "The configuration is good.\n");
      break;
    case Action::kPrintConfig:
      begin.config.host.state_dir = host::PathsOf(begin.config).state_dir;
      begin.config.host.control_socket =
          host::PathsOf(begin.config).control_socket;
      Print(stdout, config::SettingsInForce(begin.config, loaded->origins));
      break;
    default:
      begin.command_line = command_line;
      begin.command_line.ForgetKey();
      return begin;
  }
  begin.config.key.Erase();
  return Done(kExitOk);
}

Begin Run(const config::CommandLine& command_line) {
  switch (command_line.action) {
    case Action::kHelp:
      Print(stdout, HelpText());
      return Done(kExitOk);
    case Action::kVersion:
      Print(stdout, Concat("lightweight-tunnel ", Version(), "\n"));
      return Done(kExitOk);
    case Action::kGenerateKey:
      GenerateKeyCommand();
      return Done(kExitOk);
    case Action::kPublicKey: {
      const absl::StatusOr<std::string> keys = PublicKeysOf(command_line);
      if (!keys.ok()) {
        Complain(config::ToStd(keys.status().message()));
        return Done(kExitFailure);
      }
      Print(stdout, *keys);
      return Done(kExitOk);
    }
    case Action::kWriteConfig: {
      const std::string path = SettingsPath(command_line.write_file);
      absl::Status status = WriteConfigPair(path, command_line.options);
      if (!status.ok()) {
        Complain(config::ToStd(status.message()));
        return Done(absl::IsInvalidArgument(status) ? kExitUsage
                                                    : kExitFailure);
      }
      const bool remote_given =
          std::any_of(command_line.options.begin(), command_line.options.end(),
                      [](const config::GivenOption& given) {
                        return given.option->toml == "remote_addr";
                      });
      Print(stdout,
            Concat("Wrote ", path, " for the hub and ", path,
                   ".client for a client; ",
                   remote_given ? "" : "set remote_addr in the second, and ",
                   "give each client its own tunnel_addr.\n",
                   path == command_line.write_file
                       ? ""
                       : "Settings are TOML here, so that is its name.\n"));
      return Done(kExitOk);
    }
    case Action::kImport: {
      absl::StatusOr<std::string> said = ImportSettings(command_line);
      if (!said.ok()) {
        Complain(config::ToStd(said.status().message()));
        return Done(kExitFailure);
      }
      Print(stdout, *said);
      return Done(kExitOk);
    }
    case Action::kCleanup:
      return {false, kExitOk, Action::kCleanup, {}, {}};
    case Action::kRun:
    case Action::kCheckConfig:
    case Action::kPrintConfig:
    case Action::kPreflight:
      return BeginWithConfig(command_line);
  }
  return Done(kExitFailure);
}

// The hub of the pair; `client.remote` is where its clients find it.
absl::StatusOr<config::Config> SampleHub(
    std::span<const config::GivenOption> given) {
  config::Config config;
  config.mode = config::Mode::kServer;
  config.hub.local = {{IpAddress::Any(Family::kIpv4), config::kUsualPort}};
  config.tunnel.addresses = {*ParseIpPrefix("10.86.27.1/24")};
  for (const config::GivenOption& option : given) {
    absl::Status status =
        config::ApplyText(*option.option, option.value, config);
    if (status.ok()) continue;
    return config::Invalid("-", option.option->flag, ": ", status.message());
  }
  if (!config.client.remote) {
    config.client.remote = {"server.example.com",
                            config.hub.local.front().port};
  }
  config.key.text = handshake::GenerateKey();
  return config;
}

// The next host in each of the hub's networks is the client.
absl::StatusOr<config::Config> SampleClient(const config::Config& hub) {
  config::Config config;
  config.mode = config::Mode::kClient;
  config.client.remote = hub.client.remote;
  config.key.text = hub.key.text;
  for (const IpPrefix& prefix : hub.tunnel.addresses) {
    IpPrefix next = prefix;
    size_t at = next.address.size();
    while (at > 0 && ++next.address.bytes[--at] == 0) {
    }
    if (next.Network() != prefix.Network() ||
        !config::ReadTunnelAddress(ToString(next)).ok()) {
      return config::Invalid("-t: behind ", ToString(prefix),
                             " its network has no address for a client; take ",
                             "the first one of the network");
    }
    config.tunnel.addresses.push_back(next);
  }
  return config;
}

}  // namespace

std::string HelpText() {
  std::string text(kHelpHead);
  for (const config::CommandFlag& word : config::CommandWords()) {
    text += Concat("  ", word.flag, "\n",
                   config::Wrap(word.sentence, "      ", 80));
  }
  for (const config::CommandFlag& command : config::CommandFlags()) {
    std::string_view space = command.value_name.empty() ? "" : " ";
    text += Concat("  -", command.flag, space, command.value_name, "\n",
                   config::Wrap(command.sentence, "      ", 80));
  }
  text += config::FlagList();
  return text;
}

void GenerateKeyCommand() {
  std::string key = handshake::GenerateKey();
  Print(stdout, Concat(key, "\n"));
  sodium_memzero(key.data(), key.size());
}

absl::Status WriteConfigPair(const std::string& path,
                             std::span<const config::GivenOption> given) {
  absl::StatusOr<config::Config> hub = SampleHub(given);
  if (!hub.ok()) return hub.status();
  absl::StatusOr<config::Config> client = SampleClient(*hub);
  if (!client.ok()) return client.status();
  hub->client.remote.reset();
  for (config::Config* config : {&*hub, &*client}) {
    std::vector<std::string> warnings;
    const absl::Status agree = config::Finish(*config, warnings);
    if (!agree.ok()) return absl::InvalidArgumentError(agree.message());
  }
  NewFile hub_file(path);
  NewFile client_file(Concat(path, ".client"));
  absl::Status status = hub_file.Create();
  if (status.ok()) status = client_file.Create();
  if (status.ok()) {
    status = hub_file.Write(config::SampleFile(*hub, host::PathsOf(*hub).name));
  }
  if (status.ok()) {
    status = client_file.Write(
        config::SampleFile(*client, host::PathsOf(*client).name));
  }
  hub->key.Erase();
  client->key.Erase();
  if (!status.ok()) return status;
  hub_file.Keep();
  client_file.Keep();
  return status;
}

Begin BeginDaemon(int argc, char** argv) {
  // An empty argv, which execve allows, has no arguments either.
  size_t count = argc > 1 ? static_cast<size_t>(argc) - 1 : 0;
  std::span<const char* const> arguments(argv + (count == 0 ? 0 : 1), count);
  absl::StatusOr<config::CommandLine> command_line =
      config::ParseCommandLine(arguments);
  config::HideKey(argc, argv);
  if (!command_line.ok()) {
    Complain(config::ToStd(command_line.status().message()));
    Complain(kSeeHelp);
    return Done(kExitUsage);
  }
  return Run(*command_line);
}

}  // namespace lwt::cli
