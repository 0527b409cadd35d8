// What a dead process cannot undo on the host stands here before it is
// changed: offload features and XDP programs. nft tables, devices and sockets
// die with the process and have no entry.
//
// A text file in the instance's run directory, one entry a line, replaced as a
// whole and synced with each change. Owned by the control thread.
//
//   lightweight-tunnel journal 1
//   feature <netns> <ifindex> <interface> rx-lro on
//   xdp <netns> <ifindex> <interface> <program id, 0 before it is attached>
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lwt::host {

struct HostChange {
  enum class Kind : uint8_t { kFeature, kXdp };

  Kind kind = Kind::kFeature;
  // Inode of the network namespace it was made in; for Record and Forget 0
  // means the one of the calling thread.
  uint64_t netns = 0;
  int ifindex = 0;
  std::string interface;
  std::string feature;      // kFeature: the kernel's name, "rx-lro"
  bool was_on = false;      // kFeature: what to go back to
  uint32_t program_id = 0;  // kXdp; 0: attached or about to be, id unknown

  // About the same thing: kind, namespace, link and feature are equal.
  bool SameObject(const HostChange& other) const;
  friend bool operator==(const HostChange&, const HostChange&) = default;
};

// The first line of the file.
inline constexpr std::string_view kJournalForm = "lightweight-tunnel journal 1";

// nullopt unless every line is an entry of the form above.
std::optional<std::vector<HostChange>> ParseJournal(std::string_view text);
std::string FormatJournal(const std::vector<HostChange>& changes);

// Inode of the calling thread's network namespace; 0 when /proc is not there.
uint64_t CurrentNetns();

class Journal {
 public:
  // Reads what a predecessor left. A file that cannot be understood is moved
  // aside to `path`.bad, and `path` starts empty; one of a later form stays,
  // and is a FailedPrecondition.
  static absl::StatusOr<Journal> Open(const std::string& path);

  // On the disk when this returns OK; only then may the change be made. An
  // entry about the same object is replaced, but a feature's `was_on` of an
  // earlier entry stays: that is the state to go back to.
  absl::Status Record(const HostChange& change);
  // After it was undone. The file is removed with its last entry.
  absl::Status Forget(const HostChange& change);

  const std::vector<HostChange>& entries() const { return entries_; }

 private:
  explicit Journal(std::string path) : path_(std::move(path)) {}
  absl::Status Write(std::vector<HostChange> entries);

  std::string path_;
  std::vector<HostChange> entries_;
};

}  // namespace lwt::host
