// Which worker has which outer flow: what a worker asks about a frame whose
// flow it does not have. Built by control, then read-only; part of a snapshot.
//
// A sorted list, so that nobody can make look-ups slow by a choice of ports. A
// look-up costs some 15 comparisons for 20 000 flows, and nothing while empty.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/flow/flow_key.h"
#include "dataplane/names.h"

namespace lwt {

class FlowDirectory {
 public:
  struct Entry {
    FlowKey key;
    WorkerIndex worker;
  };

  FlowDirectory() = default;
  explicit FlowDirectory(std::vector<Entry> entries)
      : entries_(std::move(entries)) {
    std::ranges::sort(entries_, {}, &WordsOf);
  }

  std::optional<WorkerIndex> Find(const FlowKey& key) const {
    const auto at = std::ranges::lower_bound(entries_, key.words, {}, &WordsOf);
    if (at == entries_.end() || at->key != key) return std::nullopt;
    return at->worker;
  }
  size_t size() const { return entries_.size(); }

 private:
  static const std::array<uint64_t, 5>& WordsOf(const Entry& entry) {
    return entry.key.words;
  }

  std::vector<Entry> entries_;
};

}  // namespace lwt
