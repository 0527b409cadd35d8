#include "control/name_lookups.h"

#include <utility>

namespace lwt {

absl::StatusOr<NameLookups::Question> NameLookups::Start(std::string_view host,
                                                         uint16_t port,
                                                         Handler handler) {
  absl::StatusOr<uint64_t> id = resolver_.Start(host, port);
  if (!id.ok()) return id.status();
  handlers_[*id] = std::move(handler);
  return Question(*this, *id);
}

void NameLookups::Cancel(uint64_t id) {
  resolver_.Cancel(id);
  handlers_.erase(id);
}

void NameLookups::OnReady() {
  for (host::Resolver::Result& result : resolver_.Drain()) {
    const auto found = handlers_.find(result.id);
    if (found == handlers_.end()) continue;
    // It may ask for the next one.
    const Handler handler = std::move(found->second);
    handlers_.erase(found);
    handler(std::move(result.endpoints));
  }
}

}  // namespace lwt
