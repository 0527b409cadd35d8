#include "control/cli/manual.h"

#include "control/base/text.h"
#include "control/cli/lwtctl.h"
#include "control/cli/version.h"
#include "control/config/command_line.h"
#include "control/config/options.h"

namespace lwt::cli {
namespace {

using config::Concat;

std::string Head(std::string_view title, int section, std::string_view name,
                 std::string_view sentence) {
  return Concat(".TH ", title, " ", section, " \"\" \"lightweight-tunnel ",
                Version(), "\"\n.SH NAME\n", Roff(name), " \\- ",
                Roff(sentence), "\n");
}

std::string Section(std::string_view name, std::string_view text) {
  return Concat(".SH ", name, "\n", Roff(text), "\n");
}

// A term and what it means.
std::string Entry(std::string_view term, std::string_view value,
                  std::string_view text) {
  return Concat(".TP\n\\fB", Roff(term), "\\fR",
                value.empty() ? "" : Concat(" \\fI", Roff(value), "\\fR"), "\n",
                Roff(text), "\n");
}

std::string Verbatim(std::string_view text) {
  return Concat(".nf\n", Roff(text), "\n.fi\n");
}

std::string WithDefault(const config::Option& option) {
  const std::string usual = config::DefaultText(option);
  return Concat(option.sentence,
                usual.empty() ? "" : Concat(" Default: ", usual, "."));
}

// Calls `add` for each setting, after the heading of its group.
template <typename Add>
std::string ByGroup(Add add) {
  std::string text;
  std::string_view group;
  for (const config::Option& option : config::Options()) {
    const std::string entry = add(option);
    if (entry.empty()) continue;
    if (option.group != group) {
      group = option.group;
      text += Concat(".SS ", Roff(group), "\n");
    }
    text += entry;
  }
  return text;
}

std::string FlagEntry(const config::Option& option) {
  if (option.flag.empty()) return "";
  return Entry(Concat("-", option.flag), option.value_name,
               WithDefault(option));
}

std::string KeyEntry(const config::Option& option) {
  return Entry(option.toml, option.value_name,
               Concat(WithDefault(option),
                      " A change takes: ", config::NameOf(option.takes), "."));
}

constexpr std::string_view kFiles =
    "/etc/lightweight-tunnel/NAME.toml: the settings of "
    "lightweight-tunnel@NAME.service\n"
    "/var/lib/lightweight-tunnel: keys and what a hub remembers\n"
    "/run/lightweight-tunnel: control sockets and locks";

constexpr std::string_view kExit =
    "0 after SIGTERM, SIGINT or SIGQUIT; 1 when it could not start; 2 for a "
    "wrong command line.";

}  // namespace

// A line that begins with a dot or a quote would be a request to man(7).
std::string Roff(std::string_view text) {
  std::string roff;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) roff += "\\&";
    begins = c == '\n';
    if (c == '\\') {
      roff += "\\e";
    } else if (c == '-') {
      roff += "\\-";
    } else {
      roff += c;
    }
  }
  return roff;
}

std::string DaemonManual() {
  std::string text = Head("LIGHTWEIGHT-TUNNEL", 8, "lightweight-tunnel",
                          "tunnel of IP packets in what looks like TCP");
  text += ".SH SYNOPSIS\n" +
          Verbatim(
              "lightweight-tunnel -m server -l ADDRESS:PORT -t "
              "ADDRESS/BITS -key-file FILE\n"
              "lightweight-tunnel -m client -r HOST:PORT -t ADDRESS/BITS "
              "-key-file FILE\n"
              "lightweight-tunnel -c FILE\n"
              "lightweight-tunnel genkey\n"
              "lightweight-tunnel pubkey");
  text += Section(
      "DESCRIPTION",
      "A gateway that joins hosts by an encrypted tunnel whose packets are, on "
      "the wire, an ordinary TCP connection carrying TLS. It stays in the "
      "foreground. Flags take one or two dashes, `-x v` or `-x=v`; a boolean "
      "is switched off by `-x=false`. A flag beats the file of -c.");
  text += ".SH COMMANDS\n";
  for (const config::CommandFlag& word : config::CommandWords()) {
    text += Entry(word.flag, "", word.sentence);
  }
  for (const config::CommandFlag& command : config::CommandFlags()) {
    text +=
        Entry(Concat("-", command.flag), command.value_name, command.sentence);
  }
  text += ".SH OPTIONS\n" + ByGroup(FlagEntry);
  text += ".SH FILES\n" + Verbatim(kFiles);
  text += Section("EXIT STATUS", kExit);
  text += Section("SEE ALSO",
                  "lwtctl(1), lightweight-tunnel.toml(5), systemd(1), "
                  "/usr/share/doc/lightweight-tunnel");
  return text;
}

std::string SettingsManual() {
  std::string text =
      Head("LIGHTWEIGHT-TUNNEL.TOML", 5, "lightweight-tunnel.toml",
           "settings of lightweight-tunnel(8)");
  text += Section(
      "DESCRIPTION",
      "TOML (https://toml.io). Texts stand in quotes, numbers and true or "
      "false without; a value that may have several parts is a list of texts. "
      "`lightweight-tunnel -g FILE` writes a file of each kind, with a "
      "sentence at each setting, and `-check-config -c FILE` says what is "
      "wrong with one. A dotted name such as uplink.driver is `driver` below "
      "a line [uplink]; peer.NAME stands in an entry [[peer]].");
  text += ".SH SETTINGS\n" + ByGroup(KeyEntry);
  text += Section("SEE ALSO", "lightweight-tunnel(8), lwtctl(1)");
  return text;
}

std::string ControlManual() {
  std::string text =
      Head("LWTCTL", 1, "lwtctl", "asks a running lightweight-tunnel(8)");
  text += ".SH DESCRIPTION\n" + Verbatim(ControlHelpText());
  text += Section("EXIT STATUS",
                  "0 done; 1 the gateway is not reached or says no; 2 a wrong "
                  "command line.");
  text += Section("SEE ALSO", "lightweight-tunnel(8)");
  return text;
}

}  // namespace lwt::cli
