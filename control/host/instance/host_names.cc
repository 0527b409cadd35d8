#include "control/host/instance/host_names.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/files.h"
#include "control/config/values.h"

namespace lwt::host {
namespace {

constexpr unsigned kLongestRunS = 10;
constexpr int kNotThere = 127;  // as a shell has it
constexpr char kResolvedWord[] = "resolved";
constexpr char kResolvconfWord[] = "resolvconf";

// In the child: nothing but what is safe behind a fork.
[[noreturn]] void Become(char* const* words, int input) {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(input, STDIN_FILENO);
  if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPIPE}) {
    signal(number, SIG_DFL);
  }
  alarm(kLongestRunS);  // which outlives execve(2)
  execvp(words[0], words);
  _exit(kNotThere);
}

// Its exit status; kNotThere where there is no such program, -1 where it did
// not end by itself. `input` is less than a pipe takes.
int RunProgram(const std::vector<std::string>& words,
               std::string_view input = {}) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  std::vector<char*> pointers;
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));
  }
  pointers.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) Become(pointers.data(), ends[0]);
  close(ends[0]);
  const bool given = write(ends[1], input.data(), input.size()) ==
                     static_cast<ssize_t>(input.size());
  close(ends[1]);
  int status = 0;
  pid_t ended = child < 0 ? -1 : 0;
  while (ended == 0) {
    ended = waitpid(child, &status, 0);
    if (ended < 0 && errno == EINTR) ended = 0;
  }
  // Who is not there reads nothing.
  if (ended < 0 || !WIFEXITED(status)) return -1;
  return given || WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : -1;
}

// wg-quick does the same: by "tun.lwt0" Debian's resolvconf takes it for one
// of the kind that stands before Ethernet.
std::string RecordOf(const std::string& device,
                     const HostNames::Places& places) {
  const bool ranked = access(places.interface_order.c_str(), F_OK) == 0;
  return ranked ? "tun." + device : device;
}

void Revert(HostNames::How how, const std::string& device,
            const HostNames::Places& places) {
  // Of a device that is gone systemd-resolved knows nothing any more.
  if (how == HostNames::How::kResolved) {
    RunProgram({"resolvectl", "revert", device});
  } else if (how == HostNames::How::kResolvconf) {
    RunProgram({"resolvconf", "-d", RecordOf(device, places), "-f"});
  }
}

std::vector<std::string> AddressesOf(const handshake::DnsMessage& names) {
  std::vector<std::string> addresses;
  for (const IpAddress& server : names.servers) {
    addresses.push_back(ToString(server));
  }
  return addresses;
}

// As resolv.conf(5) has it.
std::string LinesOf(const handshake::DnsMessage& names) {
  std::string lines;
  for (const std::string& address : AddressesOf(names)) {
    absl::StrAppend(&lines, "nameserver ", address, "\n");
  }
  if (!names.domains.empty()) {
    absl::StrAppend(&lines, "search ", absl::StrJoin(names.domains, " "), "\n");
  }
  return lines;
}

}  // namespace

bool IsNamesDevice(std::string_view device) {
  return config::CheckInterfaceName(device).ok() && device.front() != '-';
}

bool HostNames::SetByResolved(const handshake::DnsMessage& names) {
  if (access(places_.resolved.c_str(), F_OK) != 0) return false;
  std::vector<std::string> servers = {"resolvectl", "dns", device_};
  for (std::string& address : AddressesOf(names)) {
    servers.push_back(std::move(address));
  }
  std::vector<std::string> domains = {"resolvectl", "domain", device_};
  domains.insert(domains.end(), names.domains.begin(), names.domains.end());
  domains.emplace_back("~.");  // all names, and not those domains alone
  if (Note(How::kResolved) && RunProgram(servers) == 0 &&
      RunProgram(domains) == 0) {
    return true;
  }
  Revert(How::kResolved, device_, places_);
  return false;
}

int HostNames::SetByResolvconf(const handshake::DnsMessage& names) {
  if (!Note(How::kResolvconf)) return -1;
  // The first of all, and no other's beside them.
  return RunProgram(
      {"resolvconf", "-a", RecordOf(device_, places_), "-m", "0", "-x"},
      LinesOf(names));
}

HostNames::Outcome HostNames::Set(const handshake::DnsMessage& names) {
  const How before = how_;
  if (names.servers.empty()) {
    TakeBack();
    return {How::kNone, "names are looked up as without the tunnel"};
  }
  const std::string asked = absl::StrJoin(AddressesOf(names), ", ");
  if (SetByResolved(names)) {
    how_ = How::kResolved;
    if (before == How::kResolvconf) Revert(before, device_, places_);
    return {how_, absl::StrCat("names are asked of ", asked,
                               ", by systemd-resolved")};
  }
  const int status = SetByResolvconf(names);
  if (status == 0) {
    how_ = How::kResolvconf;
    if (before == How::kResolved) Revert(before, device_, places_);
    return {how_,
            absl::StrCat("names are asked of ", asked, ", by resolvconf")};
  }
  // What it made of a part of it goes as well.
  if (status != kNotThere) Revert(How::kResolvconf, device_, places_);
  TakeBack();
  unlink(note_.c_str());
  std::string lines = LinesOf(names);
  lines.pop_back();
  const std::string by_hand =
      absl::StrCat("put this into /etc/resolv.conf: ",
                   absl::StrJoin(absl::StrSplit(lines, '\n'), "; "));
  if (status == kNotThere) {
    return {How::kNobody,
            absl::StrCat("neither systemd-resolved nor resolvconf manages the "
                         "names of this host; ",
                         by_hand)};
  }
  return {How::kFailed, absl::StrCat("resolvconf failed with status ", status,
                                     "; ", by_hand)};
}

// Before anything is changed.
bool HostNames::Note(How how) {
  const char* const word =
      how == How::kResolved ? kResolvedWord : kResolvconfWord;
  return ReplaceFile(note_, absl::StrCat(word, " ", device_, "\n")).ok();
}

void HostNames::TakeBack() {
  if (how_ == How::kNone) return;
  Revert(std::exchange(how_, How::kNone), device_, places_);
  unlink(note_.c_str());
}

std::string HostNames::TakeBackNoted(const std::string& note,
                                     const Places& places) {
  const absl::StatusOr<std::string> text = ReadFile(note);
  if (!text.ok()) return "";
  unlink(note.c_str());
  std::string_view rest = *text;
  const size_t space = rest.find(' ');
  if (space == std::string_view::npos || !rest.ends_with('\n')) return "";
  const std::string_view word = rest.substr(0, space);
  rest.remove_suffix(1);
  const std::string device(rest.substr(space + 1));
  if (!IsNamesDevice(device)) return "";
  if (word != kResolvedWord && word != kResolvconfWord) return "";
  Revert(word == kResolvedWord ? How::kResolved : How::kResolvconf, device,
         places);
  return absl::StrCat("name servers of ", device, ": taken back");
}

}  // namespace lwt::host
