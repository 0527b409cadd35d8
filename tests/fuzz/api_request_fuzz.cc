// Any bytes as a request and as a response of the control socket.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "control/api/request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using lwt::api::ErrorResponse;
  using lwt::api::OkResponse;
  (void)lwt::api::ParseRequest({data, size});
  auto response = lwt::api::ParseResponse({data, size});
  if (!response) return 0;
  // What was accepted is exactly what the daemon would have written.
  std::string again =
      response->ok ? OkResponse(response->text) : ErrorResponse(response->text);
  if (again != std::string(reinterpret_cast<const char*>(data), size)) abort();
  return 0;
}
