#include "control/workers/ordered_link.h"

#include <utility>
#include <variant>

namespace lwt::peer {

bool OrderedLink::IsHeld(WorkerIndex worker, const Command& command) {
  if (flows_.empty()) return false;
  return std::visit(
      [&](const auto& one) {
        if constexpr (requires {
                        one.lane;
                        one.flow;
                      }) {
          const bool held = flows_.contains(one.flow.value);
          if (held) lanes_.insert({worker, one.lane});
          return held;
        } else if constexpr (requires { one.lane; }) {
          return lanes_.contains({worker, one.lane});
        } else if constexpr (requires { one.flow; }) {
          return flows_.contains(one.flow.value);
        } else {
          return false;
        }
      },
      command);
}

void OrderedLink::SendHeld(WorkerIndex worker, Command command) {
  ++ever_held_;
  held_.push_back({worker, std::move(command)});
}

void OrderedLink::Send(WorkerIndex worker, Command command) {
  if (IsHeld(worker, command)) {
    SendHeld(worker, std::move(command));
  } else {
    inner_.Send(worker, std::move(command));
  }
}

CommandMark OrderedLink::Mark() const {
  CommandMark mark = inner_.Mark();
  mark.held = held_.empty() ? 0 : ever_held_;
  return mark;
}

bool OrderedLink::Passed(const CommandMark& mark) const {
  if (mark.held > ever_held_ - held_.size()) return false;
  return inner_.Passed(mark) && (mark.held == 0 || inner_.Passed(released_));
}

void OrderedLink::Publish(std::unique_ptr<const Snapshot> snapshot) {
  inner_.Publish(std::move(snapshot));
  if (!held_.empty()) {
    for (Held& held : std::exchange(held_, {})) {
      inner_.Send(held.worker, std::move(held.command));
    }
    released_ = inner_.Mark();
  }
  flows_.clear();
  lanes_.clear();
}

}  // namespace lwt::peer
