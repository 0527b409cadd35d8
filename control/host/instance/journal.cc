#include "control/host/instance/journal.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "control/base/files.h"
#include "control/base/state_form.h"

namespace lwt::host {
namespace {

HostChange InThisNetns(HostChange change) {
  if (change.netns == 0) change.netns = CurrentNetns();
  return change;
}

}  // namespace

uint64_t CurrentNetns() {
  struct stat status;
  if (stat("/proc/thread-self/ns/net", &status) != 0) return 0;
  return status.st_ino;
}

absl::StatusOr<Journal> Journal::Open(const std::string& path) {
  Journal journal(path);
  // Of a write that a kill cut short.
  unlink(TemporaryOf(path).c_str());
  const auto text = ReadState(path, kJournalForm);
  if (absl::IsNotFound(text.status())) return journal;
  if (!text.ok()) return text.status();
  if (auto entries = ParseJournal(*text)) {
    journal.entries_ = *std::move(entries);
    return journal;
  }
  if (rename(path.c_str(), (path + ".bad").c_str()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot move aside " + path);
  }
  return journal;
}

absl::Status Journal::Record(const HostChange& change) {
  HostChange added = InThisNetns(change);
  if (ParseJournal(FormatJournal({added})) != std::vector{added}) {
    return absl::InvalidArgumentError(
        absl::StrCat("the journal cannot name interface ", added.interface));
  }
  std::vector<HostChange> entries = entries_;
  auto same = std::find_if(
      entries.begin(), entries.end(),
      [&](const HostChange& entry) { return entry.SameObject(added); });
  if (same == entries.end()) {
    entries.push_back(std::move(added));
  } else {
    added.was_on = same->was_on;
    *same = std::move(added);
  }
  return Write(std::move(entries));
}

absl::Status Journal::Forget(const HostChange& change) {
  const HostChange gone = InThisNetns(change);
  std::vector<HostChange> entries = entries_;
  std::erase_if(
      entries, [&](const HostChange& entry) { return entry.SameObject(gone); });
  return Write(std::move(entries));
}

absl::Status Journal::Write(std::vector<HostChange> entries) {
  if (entries.empty()) {
    if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
      return absl::ErrnoToStatus(errno, "cannot remove " + path_);
    }
  } else if (auto status = ReplaceFile(path_, FormatJournal(entries));
             !status.ok()) {
    return status;
  }
  entries_ = std::move(entries);
  return absl::OkStatus();
}

}  // namespace lwt::host
