// Names looked up, each answer to who asked. Owned by the gateway. Control
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/host/net/resolver.h"

namespace lwt {

class NameLookups {
 public:
  using Handler = std::function<void(absl::StatusOr<std::vector<Endpoint>>)>;

  // A question under way, held by who asked: the answer comes while it is held
  // and never after, so it finds nobody who is gone. An empty one asks nothing.
  class Question {
   public:
    Question() = default;
    Question(Question&& other) noexcept
        : names_(std::exchange(other.names_, nullptr)), id_(other.id_) {}
    Question& operator=(Question&& other) noexcept {
      std::swap(names_, other.names_);
      std::swap(id_, other.id_);
      other.TakeBack();
      return *this;
    }
    ~Question() { TakeBack(); }
    void TakeBack() {
      if (names_ != nullptr) std::exchange(names_, nullptr)->Cancel(id_);
    }

   private:
    friend class NameLookups;
    Question(NameLookups& names, uint64_t id) : names_(&names), id_(id) {}

    NameLookups* names_ = nullptr;
    uint64_t id_ = 0;
  };

  // `resolver` outlives this object.
  explicit NameLookups(host::Resolver& resolver) : resolver_(resolver) {}
  NameLookups(const NameLookups&) = delete;
  NameLookups& operator=(const NameLookups&) = delete;

  // The handler is called once, from OnReady. Outlives the question.
  absl::StatusOr<Question> Start(std::string_view host, uint16_t port,
                                 Handler handler);
  // The resolver's descriptor is readable.
  void OnReady();
  // Questions without an answer.
  size_t open() const { return handlers_.size(); }

 private:
  void Cancel(uint64_t id);

  host::Resolver& resolver_;
  std::map<uint64_t, Handler> handlers_;
};

}  // namespace lwt
