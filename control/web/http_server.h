// Pages by HTTP/1.1 to whoever can reach a socket: GET and HEAD, nothing else.
//
// libmicrohttpd without a thread of its own: its epoll descriptor is one source
// of the control loop. At most kMaxClients connections, of which each ends when
// it has not moved for kTimeoutS; a page is made at most once in kFreshUs,
// however many ask, and who does not read keeps a copy of it at most. Owned by
// the gateway. Control thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/loop/component.h"
#include "control/loop/event_loop.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

namespace lwt::web {

struct Page {
  std::string path;  // "/metrics"
  std::string type;  // "text/plain; charset=utf-8"
  std::function<std::string()> body;
};

// Whose names in a request's Host are taken. A site in a browser of this host
// may give its own name the address 127.0.0.1, and would then read what is
// meant for programs here: it cannot hide that name.
enum class Hosts : uint8_t {
  kOwn,  // addresses, and "localhost"
  kAny,
};
bool IsOwnHost(std::string_view host);

class HttpServer final : public loop::Component {
 public:
  static constexpr unsigned kMaxClients = 16;
  static constexpr unsigned kTimeoutS = 5;
  static constexpr size_t kRequestBytes = 16 << 10;
  static constexpr uint64_t kFreshUs = 1'000'000;
  // Between two looks at the connections: nothing that a client does keeps the
  // loop from sleeping.
  static constexpr uint64_t kPauseUs = 1000;

  // Serves a listening socket, which stays the caller's. `loop`, the socket and
  // what `pages` call outlive the server.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Serve(
      int listener, Hosts hosts, std::vector<Page> pages, loop::EventLoop& loop,
      unsigned timeout_s = kTimeoutS);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() override;

  uint64_t NextDeadline() const override;
  void OnTimer(uint64_t now_us) override;

 private:
  struct Kept {
    Page page;
    MHD_Response* response = nullptr;  // of the last body
    uint64_t made_us = 0;
  };

  HttpServer(Hosts hosts, std::vector<Page> pages, loop::EventLoop& loop);
  friend struct HttpCalls;  // what the library calls
  int OnRequest(MHD_Connection* connection, std::string_view path,
                std::string_view method);
  int Refuse(MHD_Connection* connection, unsigned status,
             const std::string& sentence) const;
  MHD_Response* ResponseOf(Kept& kept) const;
  unsigned Connections() const;
  std::string Paths() const;

  const Hosts hosts_;
  loop::EventLoop& loop_;
  std::vector<Kept> pages_;
  MHD_Daemon* daemon_ = nullptr;
  int fd_ = -1;  // the library's epoll descriptor
  bool ready_ = false;
  uint64_t now_us_ = 0;      // of the last look
  uint64_t timeout_us_ = 0;  // when the library wants the next
};

}  // namespace lwt::web
