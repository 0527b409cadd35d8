// The one table of lwtctl's commands: its help, what it takes and what a shell
// completes come from here.
#pragma once

#include <string_view>

namespace lwt::cli {

struct ControlWords {
  std::string_view words;    // "peer forget"
  std::string_view operand;  // one word behind them; empty: none
  std::string_view what;     // an operand is, for who gave something else
  std::string_view flag;     // the one that it takes beside those of all
  // Lines of at most 74 columns; of several commands in a row the last has what
  // is true of all.
  std::string_view sentence;
};

inline constexpr ControlWords kControlCommands[] = {
    {.words = "status",
     .flag = "json",
     .sentence =
         "Show uplink, tunnel, peers, workers and drops; with -json for "
         "programs."},
    {.words = "peers",
     .flag = "json",
     .sentence =
         "List the peers, a line each: also those that are away, but have an\n"
         "entry [[peer]] (offline) or hold an address or a network (held)."},
    {.words = "events",
     .flag = "f",
     .sentence = "Print what happened lately, the last 1024 of: peers that "
                 "came, went or\n"
                 "were refused, other paths, keys, networks, bursts of drops; "
                 "with -f\n"
                 "also what happens from now on, until it is interrupted."},
    {.words = "wait",
     .flag = "up",
     .sentence = "Wait until a gateway answers; with -up until a peer is up."},
    {.words = "routes",
     .flag = "json",
     .sentence =
         "List the networks that peers and this side announced, whether they\n"
         "were accepted, and why not."},
    {.words = "route forget",
     .operand = "RANGE|CLIENT",
     .what = "a network, such as 10.20.0.0/16, or a client's name or public "
             "key, as lwtctl routes shows them",
     .sentence =
         "On a hub: free networks from keys whose clients are away. RANGE is\n"
         "NETWORK/LENGTH, with all within it; CLIENT a name or a public key."},
    {.words = "peer forget",
     .operand = "ADDRESS|RANGE|CLIENT",
     .what = "a tunnel address, such as 10.86.27.2, a range, such as "
             "10.86.27.0/24, or a client's name or public key",
     .sentence = "On a hub: free tunnel addresses from the keys that held "
                 "them. RANGE\n"
                 "is NETWORK/LENGTH, CLIENT a name or a public key as status "
                 "shows it."},
    {.words = "peer ban",
     .operand = "CLIENT",
     .what = "a client's name or public key, as lwtctl status shows it"},
    {.words = "peer unban",
     .operand = "CLIENT",
     .what = "a client's name or public key, as lwtctl peer banned shows it",
     .sentence = "On a hub: keep a client out, over restarts, and let it in "
                 "again."},
    {.words = "peer banned",
     .sentence = "On a hub: list the keys that are banned."},
    {.words = "rotate-key",
     .flag = "force",
     .sentence = "On a hub: make another shared key and give it to all "
                 "clients; with\n"
                 "-force also where a client may be locked out."},
    {.words = "rotation",
     .sentence = "On a hub: show how many clients have the new key."},
    {.words = "reload",
     .sentence = "Have the gateway read its settings again, as SIGHUP does: "
                 "says what\n"
                 "counts now, and what waits for the next connection or a "
                 "restart."},
    {.words = "version",
     .sentence = "Print the version of the running gateway, and of each peer: "
                 "which it\n"
                 "says it is, the protocol, and the features that it names."},
};

// Flags beside -json, which some commands take.
struct ControlFlag {
  std::string_view flag;
  std::string_view value_name;  // empty: none
  std::string_view sentence;
};
inline constexpr ControlFlag kControlFlags[] = {
    {"socket", "PATH",
     "The gateway's control socket. Without it, the only gateway\n"
     "under /run/lightweight-tunnel/ is asked."},
    {"t", "SECONDS", "How long wait waits at most; 30 without it."},
    {"v", "", "Print lwtctl's version and exit; --version is the same."},
    {"h", "", "Print this text and exit; --help and help are the same."},
};

}  // namespace lwt::cli
