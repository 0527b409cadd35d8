#include "control/config/command_line.h"

#include <string.h>

#include <optional>

#include "control/base/text.h"
#include "control/config/old_keys.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

constexpr CommandFlag kCommandFlags[] = {
    {"c", "FILE", "Read settings from FILE; a flag given beats the file."},
    {"g", "FILE",
     "Write FILE for a hub and FILE.client for a client, with one fresh "
     "key in both; -l, -r and the hub's -t go into them."},
    {"import", "FILE",
     "Turn a JSON file of the Go program into the file of -g, and say what "
     "became of each setting."},
    {"import-command", "COMMAND",
     "The same with a command line of that program, in quotes."},
    {"check-config", "", "Check the settings, say what is wrong, and exit."},
    {"print-config", "",
     "Check the settings, print those in force and where each was given, and "
     "exit."},
    {"preflight", "", "Say what this host offers and lacks, and exit."},
    {"cleanup", "",
     "Undo what a gateway that was killed left on this host, and exit."},
    {"v", "", "Print the version and exit; --version is the same."},
    {"h", "", "Print this text and exit; --help is the same."},
};

constexpr CommandFlag kCommandWords[] = {
    {"genkey", "", "Print a fresh key of 256 bits."},
    {"pubkey", "",
     "Print this host's public key, for an entry [[peer]] of its hub: of the "
     "gateway that -c, or other settings behind it, name, else of each that "
     "was ever started here."},
};

// One argument taken apart: -name or -name=value.
struct Flag {
  std::string_view name;
  std::optional<std::string_view> value;
};

std::optional<Flag> SplitFlag(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return std::nullopt;
  argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
  size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return Flag{argument, std::nullopt};
  return Flag{argument.substr(0, equals), argument.substr(equals + 1)};
}

const CommandFlag* FindCommandFlag(std::string_view name) {
  if (name == "help") name = "h";
  if (name == "version") name = "v";
  for (const CommandFlag& command : kCommandFlags) {
    if (command.flag == name) return &command;
  }
  return nullptr;
}

// What the two files that -g writes cannot do without but guess.
bool GoesIntoSample(const Option& option) {
  return option.toml == "local_addr" || option.toml == "remote_addr" ||
         option.toml == "tunnel_addr";
}

// Reads arguments one by one; `next_` is the first one not yet read.
class Parser {
 public:
  explicit Parser(std::span<const char* const> arguments)
      : arguments_(arguments) {}

  absl::StatusOr<CommandLine> Parse() {
    if (!arguments_.empty()) {
      const std::string_view word = arguments_[0];
      if (word == "genkey") return ParseWord(word, Action::kGenerateKey);
      if (word == "help") return ParseWord(word, Action::kHelp);
      if (word == "version") return ParseWord(word, Action::kVersion);
      if (word == "pubkey") {
        result_.action = Action::kPublicKey;
        ++next_;
      }
    }
    while (next_ < arguments_.size()) {
      std::string_view argument = arguments_[next_++];
      std::optional<Flag> flag = SplitFlag(argument);
      absl::Status status = flag ? Take(*flag) : Surplus(argument);
      if (!status.ok()) return status;
    }
    if (absl::Status status = CheckImport(); !status.ok()) return status;
    for (const GivenOption& given : result_.options) {
      if (result_.write_file.empty() || GoesIntoSample(*given.option)) continue;
      return Invalid("-g writes files with -l, -r and -t in them and takes no ",
                     "other setting: remove -", given.option->flag);
    }
    return std::move(result_);
  }

 private:
  absl::StatusOr<CommandLine> ParseWord(std::string_view word, Action action) {
    if (arguments_.size() > 1) {
      return Invalid(word, " takes nothing after it, but got ",
                     Quoted(arguments_[1]));
    }
    result_.action = action;
    return std::move(result_);
  }

  // A hub listens at all that it is told, as other servers do. Of any other
  // setting the last one counts.
  GivenOption* GivenBefore(const Option& option) {
    if (option.toml != "local_addr") return nullptr;
    for (GivenOption& given : result_.options) {
      if (given.option == &option) return &given;
    }
    return nullptr;
  }

  absl::Status Take(const Flag& flag) {
    if (const CommandFlag* command = FindCommandFlag(flag.name)) {
      return TakeCommand(*command, flag);
    }
    const Option* option = FindByFlag(flag.name);
    const OldKey* old = FindOldFlag(flag.name);
    if (option == nullptr && old != nullptr) {
      return Invalid("-", flag.name, ": ", old->gone);
    }
    if (option == nullptr) {
      return Invalid("unknown flag ", Quoted(Concat("-", flag.name)),
                     NearestFlagHint(flag.name));
    }
    if (option->field.type == ValueType::kBoolean) {
      std::string_view value = flag.value.value_or("true");
      result_.options.push_back({option, std::string(value)});
      return absl::OkStatus();
    }
    std::optional<std::string_view> value = ValueOf(flag);
    if (!value) return Missing(flag.name, option->value_name);
    if (GivenOption* before = GivenBefore(*option)) {
      before->value += Concat(",", *value);
      return absl::OkStatus();
    }
    result_.options.push_back({option, std::string(*value)});
    return absl::OkStatus();
  }

  absl::Status TakeCommand(const CommandFlag& command, const Flag& flag) {
    if (command.value_name.empty()) {
      if (flag.value) return Invalid("-", command.flag, " takes no value");
      return Choose(command.flag == "h"              ? Action::kHelp
                    : command.flag == "v"            ? Action::kVersion
                    : command.flag == "check-config" ? Action::kCheckConfig
                    : command.flag == "print-config" ? Action::kPrintConfig
                    : command.flag == "preflight"    ? Action::kPreflight
                                                     : Action::kCleanup);
    }
    std::optional<std::string_view> value = ValueOf(flag);
    if (!value || value->empty()) {
      return Missing(command.flag, command.value_name);
    }
    std::string* const goes_to =
        command.flag == "c"                ? &result_.config_file
        : command.flag == "import"         ? &result_.import_file
        : command.flag == "import-command" ? &result_.import_command
                                           : nullptr;
    if (goes_to != nullptr) {
      *goes_to = *value;
      return absl::OkStatus();
    }
    result_.write_file = *value;
    return Choose(Action::kWriteConfig);
  }

  // What is imported is written by -g, and is all there is.
  absl::Status CheckImport() {
    const bool file = !result_.import_file.empty();
    const bool command = !result_.import_command.empty();
    if ((!file && !command) || result_.action == Action::kHelp) {
      return absl::OkStatus();
    }
    if (file && command) {
      return Invalid("only one of -import and -import-command can be given");
    }
    if (result_.action != Action::kWriteConfig) {
      return Invalid(file ? "-import" : "-import-command",
                     " writes a file, which -g names: -g NEW.toml");
    }
    if (!result_.options.empty() || !result_.config_file.empty()) {
      return Invalid("-import and -import-command take no setting beside ",
                     "those that they read");
    }
    result_.action = Action::kImport;
    return absl::OkStatus();
  }

  // Help wins over everything; two other actions at once are refused.
  absl::Status Choose(Action action) {
    if (action == Action::kHelp || result_.action == Action::kRun ||
        result_.action == action) {
      result_.action = action;
    } else if (result_.action != Action::kHelp) {
      return Invalid(
          "only one of pubkey, -g, -v, -check-config, -print-config, ",
          "-preflight and -cleanup can be given");
    }
    return absl::OkStatus();
  }

  std::optional<std::string_view> ValueOf(const Flag& flag) {
    if (flag.value) return flag.value;
    if (next_ == arguments_.size()) return std::nullopt;
    return arguments_[next_++];
  }

  static absl::Status Missing(std::string_view flag, std::string_view name) {
    return Invalid("-", flag, " needs a value: -", flag, " ", name);
  }

  absl::Status Surplus(std::string_view argument) const {
    bool after_boolean =
        (argument == "true" || argument == "false") &&
        !result_.options.empty() &&
        result_.options.back().option->field.type == ValueType::kBoolean;
    if (after_boolean) {
      std::string_view flag = result_.options.back().option->flag;
      return Invalid("a boolean takes its value after an equals sign: -", flag,
                     "=", argument);
    }
    return Invalid("unexpected argument ", Quoted(argument),
                   ": every setting is a flag, see -h");
  }

  std::span<const char* const> arguments_;
  size_t next_ = 0;
  CommandLine result_;
};

void Overwrite(char* text) {
  // The compiler may not drop the stores: the kernel reads them.
  explicit_bzero(text, strlen(text));
}

}  // namespace

std::span<const CommandFlag> CommandFlags() { return kCommandFlags; }

std::span<const CommandFlag> CommandWords() { return kCommandWords; }

absl::StatusOr<CommandLine> ParseCommandLine(
    std::span<const char* const> arguments) {
  return Parser(arguments).Parse();
}

void CommandLine::ForgetKey() {
  for (GivenOption& given : options) {
    if (!given.option->secret) continue;
    explicit_bzero(given.value.data(), given.value.size());
    given.value.clear();
    key_erased = true;
  }
}

void HideKey(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::optional<Flag> flag = SplitFlag(argv[i]);
    const bool has_key =
        flag && (flag->name == "k" || flag->name == "import-command");
    if (!has_key) continue;
    if (flag->value) {
      Overwrite(argv[i] + (flag->value->data() - argv[i]));
    } else if (i + 1 < argc) {
      Overwrite(argv[++i]);
    }
  }
}

}  // namespace lwt::config
