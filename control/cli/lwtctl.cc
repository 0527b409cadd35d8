#include "control/cli/lwtctl.h"

#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/api/client.h"
#include "control/api/request.h"
#include "control/cli/print.h"
#include "control/cli/version.h"

namespace lwt::cli {
namespace {

constexpr int kTimeoutMs = 2000;
// A key of words is stretched, which takes long where the CPU has much to do.
constexpr int kReloadTimeoutMs = 60'000;
constexpr int kExitRestart = 3;
constexpr int kExitNotDone = 4;

constexpr char kHelp[] = R"(lwtctl asks a running lightweight-tunnel.

  lwtctl [-socket PATH] status [-json]
      Show uplink, tunnel, peers, workers and drops; with -json for programs.
  lwtctl [-socket PATH] peer forget ADDRESS|RANGE|KEY
      On a hub: free tunnel addresses from the keys that held them. RANGE
      is NETWORK/LENGTH, KEY a client's public key as status shows it.
  lwtctl [-socket PATH] peer ban KEY
  lwtctl [-socket PATH] peer unban KEY
      On a hub: keep a client out, over restarts, and let it in again.
  lwtctl [-socket PATH] peer banned
      On a hub: list the keys that are banned.
  lwtctl [-socket PATH] reload
      Have the gateway read its settings again, as SIGHUP does: says what
      counts now, and what waits for the next connection or a restart.
  lwtctl [-socket PATH] version
      Print the version of the running gateway.

  -socket PATH  The gateway's control socket. Without it, the only gateway
                under /run/lightweight-tunnel/ is asked.
  -v            Print lwtctl's version and exit; --version is the same.
  -h            Print this text and exit; --help and help are the same.

Exit status: 0 done, 1 the gateway is not reached or refuses, 2 wrong usage,
3 read again, and a changed setting waits for a restart, 4 read again, and the
host refused a part of it.
)";

absl::Status Wrong(const std::string& sentence) {
  return absl::InvalidArgumentError(sentence);
}

// Words and flags of the command line, in any order.
struct Parts {
  std::vector<std::string> words;
  bool json = false;
};

absl::Status TakeFlag(std::string_view name, bool has_value,
                      std::string_view value, ControlCommand& command,
                      Parts& parts) {
  if (name == "socket") {
    command.socket_path = value;
    if (!value.empty()) return absl::OkStatus();
    return Wrong("-socket needs a value: -socket PATH");
  }
  const bool help = name == "h" || name == "help";
  const bool version = name == "v" || name == "version";
  const bool known = name == "json" || help || version;
  if (!known) return Wrong("unknown flag \"-" + std::string(name) + "\"");
  if (has_value) return Wrong("-" + std::string(name) + " takes no value");
  parts.json = parts.json || name == "json";
  command.help = command.help || help;
  command.version = command.version || version;
  return absl::OkStatus();
}

// Of "10.0.0.7/24", which may mean one address or all of them, both forms that
// are clear; of anything else nothing.
std::string ClearForms(std::string_view text) {
  const std::optional<IpPrefix> prefix = ParseIpPrefix(text);
  if (!prefix || prefix->Network() == prefix->address) return "";
  return absl::StrCat("the address ", ToString(prefix->address),
                      " alone, or the range ",
                      ToString(IpPrefix{prefix->Network(), prefix->length}));
}

// "peer VERB", and what the verb takes, which the gateway has to understand.
absl::Status CheckPeerCommand(const std::vector<std::string>& words) {
  constexpr struct {
    std::string_view verb;
    std::string_view form;  // of its operand; empty: none
    std::string_view what;
  } kVerbs[] = {
      {"forget", " ADDRESS|RANGE|KEY",
       "a tunnel address, such as 10.0.0.2, a range, such as 10.0.0.0/24, or a "
       "client's public key"},
      {"ban", " KEY", "a client's public key, as lwtctl status shows it"},
      {"unban", " KEY",
       "a client's public key, as lwtctl peer banned shows it"},
      {"banned", "", ""}};
  for (const auto& [verb, form, what] : kVerbs) {
    if (words.size() < 2 || words[1] != verb) continue;
    const std::string usage =
        absl::StrCat("lwtctl peer ", std::string(verb), std::string(form));
    if (words.size() != (form.empty() ? 2 : 3)) return Wrong("usage: " + usage);
    const std::string line = absl::StrJoin(words, " ") + "\n";
    if (api::ParseRequest(
            {reinterpret_cast<const uint8_t*>(line.data()), line.size()})) {
      return absl::OkStatus();
    }
    const std::string clear = verb == "forget" ? ClearForms(words[2]) : "";
    if (!clear.empty()) {
      return Wrong(
          absl::StrCat("\"", words[2], "\" is no range: take ", clear));
    }
    return Wrong(absl::StrCat("\"", absl::CHexEscape(words[2]), "\" is not ",
                              std::string(what), ": ", usage));
  }
  return Wrong("usage: lwtctl peer forget|ban|unban|banned");
}

absl::Status MakeRequest(const Parts& parts, ControlCommand& command) {
  const std::vector<std::string>& words = parts.words;
  if (words.empty()) return Wrong("a command is missing: try lwtctl status");
  if (words.size() == 1 && words[0] == "help") {
    command.help = true;
    return absl::OkStatus();
  }
  const bool peer = words[0] == "peer";
  if (peer) {
    const absl::Status good = CheckPeerCommand(words);
    if (!good.ok()) return good;
  }
  bool status = words.size() == 1 && words[0] == "status";
  bool version = words.size() == 1 && words[0] == "version";
  bool reload = words.size() == 1 && words[0] == "reload";
  if (!peer && !status && !version && !reload) {
    return Wrong("unknown command \"" + absl::StrJoin(words, " ") +
                 "\": there are status, reload, version and peer");
  }
  if (parts.json && !status) return Wrong("-json goes with status only");
  command.request = absl::StrJoin(words, " ") + (parts.json ? " json" : "");
  return absl::OkStatus();
}

absl::StatusOr<std::string> FindSocket(const std::string& run_folder) {
  std::vector<std::string> sockets = api::FindSockets(run_folder);
  if (sockets.size() > 1) std::erase_if(sockets, api::IsDeadSocket);
  if (sockets.size() == 1) return sockets[0];
  if (sockets.empty()) {
    return absl::NotFoundError(
        "no gateway runs here: nobody listens at " + run_folder +
        "/*/control.sock; start one with lightweight-tunnel, or say where its "
        "socket is with -socket PATH");
  }
  return absl::FailedPreconditionError(
      "several gateways run here; choose one with -socket:\n  " +
      absl::StrJoin(sockets, "\n  "));
}

bool IsReload(const ControlCommand& command) {
  return command.request == "reload";
}

absl::StatusOr<std::string> Answer(const ControlCommand& command,
                                   const std::string& run_folder) {
  std::string socket_path = command.socket_path;
  if (socket_path.empty()) {
    absl::StatusOr<std::string> found = FindSocket(run_folder);
    if (!found.ok()) return found.status();
    socket_path = *found;
  }
  return api::Ask(socket_path, command.request,
                  IsReload(command) ? kReloadTimeoutMs : kTimeoutMs);
}

bool HasLine(std::string_view answer, const std::string& beginning) {
  return answer.starts_with(beginning) ||
         answer.find("\n" + beginning) != std::string_view::npos;
}

// Of what a reload answered.
int ExitOfReload(std::string_view answer) {
  if (HasLine(answer, "not done: ")) return kExitNotDone;
  return HasLine(answer, "waits for a restart: ") ? kExitRestart : 0;
}

int Complain(FILE* err, const absl::Status& status, int exit_code) {
  Print(err, "lwtctl: " + std::string(status.message()) + "\n");
  return exit_code;
}

}  // namespace

absl::StatusOr<ControlCommand> ParseControlCommand(
    std::span<const char* const> arguments) {
  ControlCommand command;
  Parts parts;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (argument.size() < 2 || argument[0] != '-') {
      parts.words.emplace_back(argument);
      continue;
    }
    argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
    size_t equals = argument.find('=');
    bool has_value = equals != std::string_view::npos;
    std::string_view name = argument.substr(0, equals);
    std::string_view value = has_value ? argument.substr(equals + 1) : "";
    if (name == "socket" && !has_value && i + 1 < arguments.size()) {
      value = arguments[++i];
    }
    absl::Status status = TakeFlag(name, has_value, value, command, parts);
    if (!status.ok()) return status;
  }
  if (command.help || command.version) return command;
  absl::Status status = MakeRequest(parts, command);
  if (!status.ok()) return status;
  return command;
}

std::string ControlHelpText() { return kHelp; }

int RunControl(std::span<const char* const> arguments,
               const std::string& run_folder, FILE* out, FILE* err) {
  absl::StatusOr<ControlCommand> command = ParseControlCommand(arguments);
  if (!command.ok()) {
    Complain(err, command.status(), 2);
    Print(err, "lwtctl: -h lists all commands\n");
    return 2;
  }
  if (command->help) {
    Print(out, kHelp);
    return 0;
  }
  if (command->version) {
    Print(out, "lwtctl " + std::string(Version()) + "\n");
    return 0;
  }
  absl::StatusOr<std::string> answer = Answer(*command, run_folder);
  if (!answer.ok()) return Complain(err, answer.status(), 1);
  Print(out, *answer);
  return IsReload(*command) ? ExitOfReload(*answer) : 0;
}

}  // namespace lwt::cli
