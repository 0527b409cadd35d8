// The components of a gateway, in the order in which they came up: each of
// these asks or tells all of them, in that order. Control thread.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/loop/component.h"

namespace lwt::loop {

class Components {
 public:
  Components() = default;
  Components(const Components&) = delete;
  Components& operator=(const Components&) = delete;
  ~Components() { Clear(); }

  // One that is owned elsewhere, and stays until Clear.
  void Add(Component& component) { all_.push_back(&component); }
  void Keep(std::unique_ptr<Component> component) {
    all_.push_back(component.get());
    kept_.push_back(std::move(component));
  }
  // Takes down those that were kept, the last first.
  void Clear() {
    all_.clear();
    while (!kept_.empty()) kept_.pop_back();
  }

  uint64_t NextDeadline() const {
    uint64_t next = Component::kNever;
    for (const Component* one : all_)
      next = std::min(next, one->NextDeadline());
    return next;
  }
  void OnTimer(uint64_t now_us) {
    for (Component* one : all_) one->OnTimer(now_us);
  }
  void OnHostChanges(const host::HostChanges& changes, uint64_t now_us) {
    for (Component* one : all_) one->OnHostChanges(changes, now_us);
  }
  void OnResumed(uint64_t now_us) {
    for (Component* one : all_) one->OnResumed(now_us);
  }
  void Report(telemetry::Status& status, uint64_t now_us) const {
    for (const Component* one : all_) one->Report(status, now_us);
  }
  // The first error.
  absl::Status Check(const config::Config& config) const {
    for (const Component* one : all_) {
      if (absl::Status status = one->Check(config); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  // All of them, whatever one says.
  std::vector<absl::Status> Apply(const config::Config& config,
                                  uint64_t now_us) {
    std::vector<absl::Status> errors;
    for (Component* one : all_) {
      absl::Status status = one->Apply(config, now_us);
      if (!status.ok()) errors.push_back(std::move(status));
    }
    return errors;
  }
  // Of the first whose request it is.
  std::optional<std::string> Answer(const api::Request& request,
                                    uint64_t now_us) {
    for (Component* one : all_) {
      if (auto answer = one->Answer(request, now_us)) return answer;
    }
    return std::nullopt;
  }
  size_t Close(std::string_view reason, uint64_t now_us) {
    size_t flows = 0;
    for (Component* one : all_) flows += one->Close(reason, now_us);
    return flows;
  }

 private:
  std::vector<Component*> all_;
  std::vector<std::unique_ptr<Component>> kept_;
};

}  // namespace lwt::loop
