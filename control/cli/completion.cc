#include "control/cli/completion.h"

#include <set>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "control/base/text.h"
#include "control/cli/control_words.h"
#include "control/config/command_line.h"
#include "control/config/options.h"

namespace lwt::cli {
namespace {

using config::Concat;
using config::ToAbsl;

// What may stand behind a flag.
enum class Operand { kNone, kSwitch, kChoice, kFile, kFolder, kDevice, kOther };

struct ShellFlag {
  std::string flag;
  Operand operand = Operand::kNone;
  std::string value_name;
  std::vector<std::string> choices;
  std::string sentence;
};

Operand OperandOf(std::string_view value_name) {
  if (value_name.empty()) return Operand::kNone;
  if (value_name == "FILE" || value_name == "PATH") return Operand::kFile;
  if (value_name == "FOLDER") return Operand::kFolder;
  if (value_name.starts_with("INTERFACE")) return Operand::kDevice;
  return Operand::kOther;
}

ShellFlag MakeFlag(std::string_view flag, std::string_view value_name,
                   std::string_view sentence) {
  return {std::string(flag),
          OperandOf(value_name),
          std::string(value_name),
          {},
          std::string(sentence)};
}

ShellFlag FlagOf(const config::Option& option) {
  ShellFlag flag = MakeFlag(option.flag, option.value_name, option.sentence);
  if (option.field.type == config::ValueType::kBoolean) {
    flag.operand = Operand::kSwitch;
    flag.choices = {"true", "false"};
  } else if (option.field.type == config::ValueType::kChoice) {
    flag.operand = Operand::kChoice;
    flag.choices = absl::StrSplit(ToAbsl(option.value_name), '|');
  }
  return flag;
}

std::vector<ShellFlag> DaemonFlags() {
  std::vector<ShellFlag> flags;
  for (const config::CommandFlag& command : config::CommandFlags()) {
    flags.push_back(
        MakeFlag(command.flag, command.value_name, command.sentence));
  }
  for (const config::Option& option : config::Options()) {
    if (!option.flag.empty()) flags.push_back(FlagOf(option));
  }
  return flags;
}

std::vector<ShellFlag> ControlShellFlags() {
  std::vector<ShellFlag> flags;
  for (const ControlFlag& flag : kControlFlags) {
    flags.push_back(MakeFlag(flag.flag, flag.value_name, flag.sentence));
  }
  flags.push_back(MakeFlag("json", "", "For programs."));
  flags.push_back(MakeFlag("f", "", "With what happens from now on."));
  flags.push_back(MakeFlag("up", "", "Until a peer is up."));
  flags.push_back(
      MakeFlag("force", "", "Also where a client may be locked out."));
  return flags;
}

// Puts a text that has no quote of its own into single quotes.
std::string Quoted(std::string_view text) {
  return Concat("'", absl::StrReplaceAll(ToAbsl(text), {{"'", "'\\''"}}), "'");
}

std::string_view BashWords(Operand operand) {
  switch (operand) {
    case Operand::kFile:
      return "mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); "
             "compopt -o filenames 2>/dev/null; return";
    case Operand::kFolder:
      return "mapfile -t COMPREPLY < <(compgen -d -- \"$word\"); "
             "compopt -o filenames 2>/dev/null; return";
    case Operand::kDevice:
      return "words=$(cd /sys/class/net && echo *)";
    default:
      return "return";
  }
}

// A function's beginning: what is completed, and the flag before it, whose
// value may stand behind "=", which bash makes a word of its own.
constexpr std::string_view kBashHead =
    "  local word=${COMP_WORDS[COMP_CWORD]} flag= equals= words=\n"
    "  COMPREPLY=()\n"
    "  [ \"$COMP_CWORD\" -lt 2 ] || flag=${COMP_WORDS[COMP_CWORD-1]}\n"
    "  if [ \"$word\" = '=' ]; then\n"
    "    word= equals=1\n"
    "  elif [ \"$flag\" = '=' ]; then\n"
    "    flag=${COMP_WORDS[COMP_CWORD-2]} equals=1\n"
    "  fi\n"
    "  case ${flag/#--/-} in\n";
constexpr std::string_view kBashTail =
    "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
    "}\n";

std::string BashValues(const std::vector<ShellFlag>& flags) {
  std::string text;
  for (const ShellFlag& flag : flags) {
    if (flag.operand == Operand::kNone) continue;
    std::string words(BashWords(flag.operand));
    if (!flag.choices.empty()) {
      words = Concat("words=", Quoted(absl::StrJoin(flag.choices, " ")));
    }
    // A switch takes a value behind "=" alone.
    if (flag.operand == Operand::kSwitch) {
      words = Concat("[ -z \"$equals\" ] || ", words);
    }
    text += Concat("    -", flag.flag, ") ", words, " ;;\n");
  }
  return text + "  esac\n";
}

std::string DashedFlags(const std::vector<ShellFlag>& flags) {
  std::vector<std::string> words;
  for (const ShellFlag& flag : flags) words.push_back("-" + flag.flag);
  return absl::StrJoin(words, " ");
}

// In a specification of _arguments; a colon would end the part.
std::string ZshText(std::string_view text) {
  return absl::StrReplaceAll(ToAbsl(text), {{"'", "'\\''"},
                                            {"\\", "\\\\"},
                                            {"[", "\\["},
                                            {"]", "\\]"},
                                            {":", "\\:"},
                                            {"\n", " "}});
}

std::string ZshAction(const ShellFlag& flag) {
  switch (flag.operand) {
    case Operand::kNone:
      return "";
    case Operand::kSwitch:
      return "::value:(true false)";
    case Operand::kChoice:
      return Concat(":value:(", absl::StrJoin(flag.choices, " "), ")");
    case Operand::kFile:
      return ":file:_files";
    case Operand::kFolder:
      return ":folder:_files -/";
    case Operand::kDevice:
      return ":device:_net_interfaces";
    case Operand::kOther:
      return Concat(":", ZshText(flag.value_name), ": ");
  }
  return "";
}

std::string ZshFlags(const std::vector<ShellFlag>& flags) {
  std::string text;
  for (const ShellFlag& flag : flags) {
    // "=": its value stands behind that, or is the next word; "=-": it is
    // never the next.
    std::string_view joint = "=";
    if (flag.operand == Operand::kNone) joint = "";
    if (flag.operand == Operand::kSwitch) joint = "=-";
    text += Concat("  '-", flag.flag, joint, "[", ZshText(flag.sentence), "]",
                   ZshAction(flag), "' \\\n");
  }
  return text;
}

// The first words of lwtctl's commands, and the second behind "peer".
std::string Words(std::string_view first) {
  std::vector<std::string> words;
  std::set<std::string> seen;
  for (const ControlWords& command : kControlCommands) {
    const std::vector<std::string> own =
        absl::StrSplit(ToAbsl(command.words), ' ');
    std::string word;
    if (first.empty()) word = own[0];
    if (own.size() > 1 && own[0] == first) word = own[1];
    if (!word.empty() && seen.insert(word).second) words.push_back(word);
  }
  return absl::StrJoin(words, " ");
}

// The commands that have a second word.
std::set<std::string> FirstOfTwo() {
  std::set<std::string> found;
  for (const ControlWords& command : kControlCommands) {
    const std::vector<std::string> own =
        absl::StrSplit(ToAbsl(command.words), ' ');
    if (own.size() > 1) found.insert(own[0]);
  }
  return found;
}

}  // namespace

std::string DaemonBashCompletion() {
  const std::vector<ShellFlag> flags = DaemonFlags();
  std::string text = Concat(
      "# bash completion of lightweight-tunnel\n_lightweight_tunnel() {\n",
      kBashHead, BashValues(flags));
  text += Concat(
      "  if [ -z \"$words$equals\" ]; then\n    words=",
      Quoted(DashedFlags(flags)),
      "\n    [ \"$COMP_CWORD\" -gt 1 ] || words=\"$words genkey pubkey\"\n"
      "  fi\n",
      kBashTail, "complete -F _lightweight_tunnel ", "lightweight-tunnel\n");
  return text;
}

std::string ControlBashCompletion() {
  const std::vector<ShellFlag> flags = ControlShellFlags();
  std::string text = Concat("# bash completion of lwtctl\n_lwtctl() {\n",
                            kBashHead, BashValues(flags));
  text +=
      "  local i first= second=\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "      -socket | --socket)\n"
      "        [ \"${COMP_WORDS[i+1]}\" != '=' ] || ((i++))\n"
      "        ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *) [ -z \"$first\" ] && first=${COMP_WORDS[i]} || "
      "second=${COMP_WORDS[i]} ;;\n"
      "    esac\n"
      "  done\n"
      "  case $first:$second in\n";
  text += Concat("    :) words=", Quoted(Words("")), " ;;\n");
  for (const std::string& first : FirstOfTwo()) {
    text += Concat("    ", first, ":) words=", Quoted(Words(first)), " ;;\n");
  }
  text += Concat(
      "  esac\n  [[ $word != -* ]] || words=", Quoted(DashedFlags(flags)), "\n",
      kBashTail, "complete -F _lwtctl lwtctl\n");
  return text;
}

std::string DaemonZshCompletion() {
  return Concat("#compdef lightweight-tunnel\n_arguments \\\n",
                ZshFlags(DaemonFlags()), "  '1::command:(genkey pubkey)'\n");
}

std::string ControlZshCompletion() {
  std::string text = Concat(
      "#compdef lwtctl\nlocal curcontext=$curcontext state line\n"
      "local -a words_of_first\n_arguments -C \\\n",
      ZshFlags(ControlShellFlags()), "  '1:command:(", Words(""),
      ")' \\\n  '2:word:->second'\n", "case $line[1] in\n");
  for (const std::string& first : FirstOfTwo()) {
    text += Concat("  ", first, ") words_of_first=(", Words(first), ") ;;\n");
  }
  text += "esac\n[[ $state != second ]] || compadd -a words_of_first\n";
  return text;
}

}  // namespace lwt::cli
