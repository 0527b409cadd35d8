// Names looked up, each answer to who asked. Owned by the gateway. Control
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/host/net/resolver.h"

namespace lwt {

class NameLookups {
 public:
  using Handler = std::function<void(absl::StatusOr<std::vector<Endpoint>>)>;

  // `resolver` outlives this object.
  explicit NameLookups(host::Resolver& resolver) : resolver_(resolver) {}
  NameLookups(const NameLookups&) = delete;
  NameLookups& operator=(const NameLookups&) = delete;

  // What Cancel takes. The handler is called once, from OnReady.
  absl::StatusOr<uint64_t> Start(std::string_view host, uint16_t port,
                                 Handler handler);
  // The handler will not be called.
  void Cancel(uint64_t id);
  // The resolver's descriptor is readable.
  void OnReady();

 private:
  host::Resolver& resolver_;
  std::map<uint64_t, Handler> handlers_;
};

}  // namespace lwt
