#include "control/cli/lwtctl.h"

#include <poll.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "control/api/client.h"
#include "control/api/request.h"
#include "control/base/text.h"
#include "control/cli/control_words.h"
#include "control/cli/print.h"
#include "control/cli/version.h"

namespace lwt::cli {
namespace {

using config::ToAbsl;

constexpr int kTimeoutMs = 2000;
// A key of words is stretched, which takes long where the CPU has much to do.
constexpr int kReloadTimeoutMs = 60'000;
constexpr int kExitRestart = 3;
constexpr int kExitNotDone = 4;
constexpr int kExitNoPeerUp = 5;
constexpr int kWaitS = 30;
constexpr int kMostWaitS = 86'400;
constexpr int kLookMs = 200;
constexpr char kFollow[] = "events f";

constexpr char kHelpEnd[] = R"(
Exit status: 0 done, 1 the gateway is not reached or refuses, or what it says
cannot be printed, 2 wrong usage, 3 read again, and a changed setting waits for a restart, 4 read again, and the
host refused a part of it, 5 of status without -json: there are peers, and none of
them is up.
)";

absl::Status Wrong(const std::string& sentence) {
  return absl::InvalidArgumentError(sentence);
}

// Words and flags of the command line, in any order.
struct Parts {
  std::vector<std::string> words;
  std::string flag;  // of a command: "json"
};

// The command that takes a flag of its own.
std::string OwnerOf(std::string_view flag) {
  for (const ControlWords& command : kControlCommands) {
    if (command.flag == flag) return std::string(command.words);
  }
  return "";
}

absl::Status TakeFlag(std::string_view name, bool has_value,
                      std::string_view value, ControlCommand& command,
                      Parts& parts) {
  if (name == "t") {
    const char* end = value.data() + value.size();
    const auto [stop, error] =
        std::from_chars(value.data(), end, command.wait_s);
    const bool good = error == std::errc() && stop == end &&
                      command.wait_s >= 0 && command.wait_s <= kMostWaitS;
    if (good) return absl::OkStatus();
    return Wrong("-t needs seconds, 0 to 86400: -t 30");
  }
  if (name == "socket") {
    command.socket_path = value;
    if (!value.empty()) return absl::OkStatus();
    return Wrong("-socket needs a value: -socket PATH");
  }
  const bool help = name == "h" || name == "help";
  const bool version = name == "v" || name == "version";
  const bool of_command = !name.empty() && !OwnerOf(name).empty();
  const bool known = of_command || help || version;
  if (!known) return Wrong("unknown flag \"-" + std::string(name) + "\"");
  if (has_value) return Wrong("-" + std::string(name) + " takes no value");
  if (of_command) parts.flag = name;
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

std::string UsageOf(const ControlWords& command) {
  return absl::StrCat("lwtctl ", ToAbsl(command.words),
                      command.operand.empty() ? "" : " ",
                      ToAbsl(command.operand));
}

// The first words of all commands, or, of those that begin with one, the
// second.
std::vector<std::string> WordsAfter(std::string_view first) {
  std::vector<std::string> found;
  for (const ControlWords& command : kControlCommands) {
    const std::vector<std::string> words =
        absl::StrSplit(ToAbsl(command.words), ' ');
    std::string word = words[0];
    if (!first.empty()) word = words[0] == first ? words.back() : "";
    if (word.empty() || (!found.empty() && found.back() == word)) continue;
    found.push_back(std::move(word));
  }
  return found;
}

// The operand of `command`, as the gateway has to understand it.
absl::Status CheckOperand(const ControlWords& command,
                          const std::string& operand) {
  const std::string line =
      absl::StrCat(ToAbsl(command.words), " ", operand, "\n");
  if (api::ParseRequest(
          {reinterpret_cast<const uint8_t*>(line.data()), line.size()})) {
    return absl::OkStatus();
  }
  const std::string clear =
      command.words == "peer forget" ? ClearForms(operand) : "";
  if (!clear.empty()) {
    return Wrong(absl::StrCat("\"", operand, "\" is no range: take ", clear));
  }
  return Wrong(absl::StrCat("\"", absl::CHexEscape(operand), "\" is not ",
                            ToAbsl(command.what), ": ", UsageOf(command)));
}

// The command that the words begin with; `rest` is what stands behind it.
const ControlWords* FindCommand(std::span<const std::string> words,
                                std::span<const std::string>& rest) {
  for (const ControlWords& command : kControlCommands) {
    const std::vector<std::string> own =
        absl::StrSplit(ToAbsl(command.words), ' ');
    if (words.size() < own.size()) continue;
    if (!std::equal(own.begin(), own.end(), words.begin())) continue;
    rest = words.subspan(own.size());
    return &command;
  }
  return nullptr;
}

absl::Status UnknownCommand(const std::vector<std::string>& words) {
  const std::vector<std::string> verbs = WordsAfter(words[0]);
  if (!verbs.empty() && verbs[0] != words[0]) {
    return Wrong(absl::StrCat("usage: lwtctl ", words[0], " ",
                              absl::StrJoin(verbs, "|")));
  }
  return Wrong(absl::StrCat("unknown command \"", absl::StrJoin(words, " "),
                            "\": there are ",
                            absl::StrJoin(WordsAfter(""), ", ")));
}

absl::Status MakeRequest(const Parts& parts, ControlCommand& command) {
  const std::vector<std::string>& words = parts.words;
  if (words.empty()) return Wrong("a command is missing: try lwtctl status");
  if (words.size() == 1 && words[0] == "help") {
    command.help = true;
    return absl::OkStatus();
  }
  std::span<const std::string> rest;
  const ControlWords* found = FindCommand(words, rest);
  if (found == nullptr) return UnknownCommand(words);
  if (rest.size() != (found->operand.empty() ? 0 : 1)) {
    return Wrong("usage: " + UsageOf(*found));
  }
  if (!rest.empty()) {
    const absl::Status good = CheckOperand(*found, rest[0]);
    if (!good.ok()) return good;
  }
  if (!parts.flag.empty() && found->flag != parts.flag) {
    return Wrong("-" + parts.flag + " goes with " + OwnerOf(parts.flag) +
                 " only");
  }
  command.wait = words[0] == "wait";
  if (!command.wait && command.wait_s >= 0)
    return Wrong("-t goes with wait only");
  if (command.wait) {
    command.wait_up = !parts.flag.empty();
    command.request = "status";
    return absl::OkStatus();
  }
  command.request =
      absl::StrJoin(words, " ") + (parts.flag.empty() ? "" : " " + parts.flag);
  return absl::OkStatus();
}

// Each line of `text` after `indent`, the first after `first`.
std::string Indented(std::string_view first, std::string_view indent,
                     std::string_view text) {
  return absl::StrCat(ToAbsl(first),
                      absl::StrJoin(absl::StrSplit(ToAbsl(text), '\n'),
                                    absl::StrCat("\n", ToAbsl(indent))),
                      "\n");
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

absl::StatusOr<std::string> SocketOf(const ControlCommand& command,
                                     const std::string& run_folder) {
  if (!command.socket_path.empty()) return command.socket_path;
  return FindSocket(run_folder);
}

absl::StatusOr<std::string> Answer(const ControlCommand& command,
                                   const std::string& run_folder) {
  const absl::StatusOr<std::string> socket_path = SocketOf(command, run_folder);
  if (!socket_path.ok()) return socket_path.status();
  return api::Ask(*socket_path, command.request,
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

// How many peers a status shows, and how many of them are up. Its lines of
// peers begin with "peer " and end with the state; no other line begins so, and
// no name has a line feed.
struct PeerCount {
  size_t all = 0;
  size_t up = 0;
};
PeerCount CountPeers(std::string_view status) {
  PeerCount count;
  for (absl::string_view line : absl::StrSplit(ToAbsl(status), '\n')) {
    if (!absl::StartsWith(line, "peer ")) continue;
    ++count.all;
    count.up += absl::EndsWith(line, ": up") ? 1 : 0;
  }
  return count;
}

int ExitOf(const ControlCommand& command, std::string_view answer) {
  if (IsReload(command)) return ExitOfReload(answer);
  if (command.request != "status") return 0;
  const PeerCount count = CountPeers(answer);
  return count.all > 0 && count.up == 0 ? kExitNoPeerUp : 0;
}

// Looks again and again until it is as wanted: OK, or why it is not.
absl::Status WaitFor(const ControlCommand& command,
                     const std::string& run_folder) {
  using Clock = std::chrono::steady_clock;
  const int seconds = command.wait_s < 0 ? kWaitS : command.wait_s;
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  while (true) {
    const absl::StatusOr<std::string> answer = Answer(command, run_folder);
    if (answer.ok() && !command.wait_up) return absl::OkStatus();
    if (answer.ok() && CountPeers(*answer).up > 0) return absl::OkStatus();
    if (Clock::now() >= end) {
      if (!answer.ok()) return answer.status();
      return absl::DeadlineExceededError(absl::StrCat(
          "no peer is up after ", seconds, " s; lwtctl status says why"));
    }
    poll(nullptr, 0, kLookMs);
  }
}

// Until the gateway ends it, or whoever reads takes no more.
absl::Status PrintEvents(const ControlCommand& command,
                         const std::string& run_folder, FILE* out) {
  const absl::StatusOr<std::string> socket_path = SocketOf(command, run_folder);
  if (!socket_path.ok()) return socket_path.status();
  return api::Follow(*socket_path, command.request, kTimeoutMs,
                     [out](std::string_view text) {
                       Print(out, text);
                       return fflush(out) == 0;
                     });
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
    const bool takes_value = name == "socket" || name == "t";
    if (takes_value && !has_value && i + 1 < arguments.size()) {
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

std::string ControlHelpText() {
  std::string text = "lwtctl asks a running lightweight-tunnel.\n\n";
  for (const ControlWords& command : kControlCommands) {
    absl::StrAppend(&text, "  lwtctl [-socket PATH] ",
                    UsageOf(command).substr(sizeof("lwtctl")),
                    command.flag.empty()
                        ? ""
                        : absl::StrCat(" [-", ToAbsl(command.flag), "]"),
                    "\n");
    if (command.sentence.empty()) continue;
    text += Indented("      ", "      ", command.sentence);
  }
  text += '\n';
  for (const ControlFlag& flag : kControlFlags) {
    const std::string term =
        absl::StrCat("-", ToAbsl(flag.flag), flag.value_name.empty() ? "" : " ",
                     ToAbsl(flag.value_name));
    const std::string front = absl::StrFormat("  %-12s  ", term);
    text += Indented(front, std::string(front.size(), ' '), flag.sentence);
  }
  return text + kHelpEnd;
}

int RunControl(std::span<const char* const> arguments,
               const std::string& run_folder, FILE* out, FILE* err) {
  absl::StatusOr<ControlCommand> command = ParseControlCommand(arguments);
  if (!command.ok()) {
    Complain(err, command.status(), 2);
    Print(err, "lwtctl: -h lists all commands\n");
    return 2;
  }
  if (command->help) {
    Print(out, ControlHelpText());
    return 0;
  }
  if (command->version) {
    Print(out, "lwtctl " + std::string(Version()) + "\n");
    return 0;
  }
  if (command->wait) {
    const absl::Status status = WaitFor(*command, run_folder);
    return status.ok() ? 0 : Complain(err, status, 1);
  }
  if (command->request == kFollow) {
    const absl::Status status = PrintEvents(*command, run_folder, out);
    return status.ok() ? 0 : Complain(err, status, 1);
  }
  absl::StatusOr<std::string> answer = Answer(*command, run_folder);
  if (!answer.ok()) return Complain(err, answer.status(), 1);
  Print(out, *answer);
  return ExitOf(*command, *answer);
}

}  // namespace lwt::cli
