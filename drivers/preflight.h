// What this host lacks for the gateway, in plain words, before EAL speaks.
//
// Reads only: nothing on the host is changed. Control runs it at start-up and
// for the flag that prints it alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/host_facts.h"
#include "drivers/memory_mode.h"

namespace lwt {

enum class FindingLevel { kOk, kWarn, kFail };

struct Finding {
  FindingLevel level = FindingLevel::kOk;
  std::string subject;  // "privileges", "memory", ...
  std::string text;     // what was found
  std::string fix;      // the exact command; empty when the level is kOk
};

struct PreflightInput {
  // The program as the operator called it, for the fix of a missing privilege.
  std::string program = "lightweight-tunnel";
  // The configured interface, or "auto" (or empty).
  std::string uplink_interface = "auto";
  // "auto", "af_packet" or "af_xdp": a missing af_xdp is a failure only when
  // it was asked for.
  std::string uplink_driver = "auto";
  MemoryMode memory = MemoryMode::kAuto;
  uint64_t memory_need = 0;  // bytes, of ComputeMemoryNeed
  // Mount points; other values are for tests.
  std::string proc_root = "/proc";
  std::string sys_root = "/sys";
  std::string dev_root = "/dev";
};

// All findings, in the order of the table: privileges, tun device, CPU
// features, CPUs, memory, uplink, drivers.
std::vector<Finding> RunPreflight(const PreflightInput& input);

// True when none of the findings is a failure.
bool IsReady(std::span<const Finding> findings);

// A table for the terminal, each line ended: level, subject and text, the fix
// on a line of its own below.
std::string FormatPreflight(std::span<const Finding> findings);

// Whether the uplink asked for is among `links` and up; for "auto", which ones
// could be it.
Finding CheckUplink(std::string_view interface,
                    std::span<const LinkState> links);

}  // namespace lwt
