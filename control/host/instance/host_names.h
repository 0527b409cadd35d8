// By which servers this host looks names up: told to whoever manages that here,
// systemd-resolved or resolvconf, and taken back. A file that nobody manages is
// left alone.
//
// Starts programs and waits for each, ten seconds at most. Owned by the name
// helper (name_helper.h), whose only thread uses it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "control/handshake/messages.h"

namespace lwt::host {

// Whether a device may be named to these programs, which take what begins with
// '-' for an option.
bool IsNamesDevice(std::string_view device);

class HostNames {
 public:
  // What tells who manages names, and how.
  struct Places {
    // There while systemd-resolved runs.
    std::string resolved = "/run/systemd/resolve/io.systemd.Resolve";
    // Of Debian's resolvconf, which ranks interfaces by their names.
    std::string interface_order = "/etc/resolvconf/interface-order";
  };
  enum class How : uint8_t { kNone, kResolved, kResolvconf, kNobody, kFailed };
  struct Outcome {
    How how = How::kNone;
    std::string text;  // a sentence for the operator
  };

  // `device` is whose servers they are, `note` a file that says what is to be
  // taken back, for the next run where this one cannot.
  HostNames(std::string device, std::string note)
      : HostNames(std::move(device), std::move(note), Places()) {}
  HostNames(std::string device, std::string note, Places places)
      : device_(std::move(device)),
        note_(std::move(note)),
        places_(std::move(places)) {}
  HostNames(const HostNames&) = delete;
  HostNames& operator=(const HostNames&) = delete;
  ~HostNames() { TakeBack(); }

  // All names are asked of these servers from now on, by the domains too; of
  // none: as without us.
  Outcome Set(const handshake::DnsMessage& names);

  // Takes back what a run before noted there. What was done; empty: nothing.
  static std::string TakeBackNoted(const std::string& note,
                                   const Places& places);
  static std::string TakeBackNoted(const std::string& note) {
    return TakeBackNoted(note, Places());
  }

 private:
  bool SetByResolved(const handshake::DnsMessage& names);
  int SetByResolvconf(const handshake::DnsMessage& names);
  bool Note(How how);
  void TakeBack();

  const std::string device_;
  const std::string note_;
  const Places places_;
  How how_ = How::kNone;  // what is in force of ours
};

}  // namespace lwt::host
