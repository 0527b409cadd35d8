// The steering program (steer.bpf.c) seen from the control thread: its object
// as a file for the driver to load, its map of endpoints, its attachment.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt {

// The compiled program in an anonymous file.
class SteeringObject {
 public:
  static absl::StatusOr<std::unique_ptr<SteeringObject>> Create();
  explicit SteeringObject(int fd) : fd_(fd) {}
  SteeringObject(const SteeringObject&) = delete;
  SteeringObject& operator=(const SteeringObject&) = delete;
  ~SteeringObject();

  // Valid in this process while the object lives.
  std::string path() const;

 private:
  const int fd_;
};

// The endpoints whose segments an attached steering program takes. Every
// change is one map operation, so endpoints that stay are never out.
class SteeringMap {
 public:
  // Finds the map of an attached program by its name.
  static absl::StatusOr<std::unique_ptr<SteeringMap>> OfProgram(
      uint32_t program_id);
  explicit SteeringMap(int fd) : fd_(fd) {}
  SteeringMap(const SteeringMap&) = delete;
  SteeringMap& operator=(const SteeringMap&) = delete;
  ~SteeringMap();

  absl::Status Set(std::span<const Endpoint> endpoints);

 private:
  const int fd_;
  std::vector<Endpoint> current_;
};

}  // namespace lwt
