#include "control/web/http_server.h"

#include <microhttpd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "control/base/text.h"
#include "drivers/ip_endpoint.h"

namespace lwt::web {
namespace {

constexpr char kPlain[] = "text/plain; charset=utf-8";

// Of "[::1]:9464" and "localhost:9464" what stands before the port.
std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(1, end - 1);
  }
  return host.substr(0, host.rfind(':'));
}

MHD_Response* MakeResponse(const std::string& body, const char* type) {
  MHD_Response* response = MHD_create_response_from_buffer(
      body.size(), const_cast<char*>(body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return nullptr;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

struct HttpCalls {
  static MHD_Result Answer(void* server, MHD_Connection* connection,
                           const char* url, const char* method, const char*,
                           const char*, size_t*, void**) {
    const int queued =
        static_cast<HttpServer*>(server)->OnRequest(connection, url, method);
    return queued == MHD_YES ? MHD_YES : MHD_NO;
  }
};

bool IsOwnHost(std::string_view host) {
  const std::string_view name = WithoutPort(host);
  return ParseIpAddress(name).has_value() ||
         absl::EqualsIgnoreCase(config::ToAbsl(name), "localhost");
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Serve(
    int listener, Hosts hosts, std::vector<Page> pages, loop::EventLoop& loop,
    unsigned timeout_s) {
  std::unique_ptr<HttpServer> server(
      new HttpServer(hosts, std::move(pages), loop));
  server->daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL, 0, nullptr, nullptr, &HttpCalls::Answer, server.get(),
      MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
      kMaxClients, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kRequestBytes, MHD_OPTION_END);
  const MHD_DaemonInfo* info =
      server->daemon_ == nullptr
          ? nullptr
          : MHD_get_daemon_info(server->daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) {
    return absl::InternalError("cannot start the HTTP server for metrics");
  }
  server->fd_ = info->epoll_fd;
  absl::Status status =
      loop.Watch(server->fd_, EPOLLIN, [one = server.get()](uint32_t) {
        one->ready_ = true;
        one->loop_.Change(one->fd_, 0);
      });
  if (!status.ok()) return status;
  return server;
}

HttpServer::HttpServer(Hosts hosts, std::vector<Page> pages,
                       loop::EventLoop& loop)
    : hosts_(hosts), loop_(loop) {
  for (Page& page : pages) pages_.push_back({.page = std::move(page)});
}

HttpServer::~HttpServer() {
  if (daemon_ == nullptr) return;
  if (fd_ >= 0) loop_.Forget(fd_);
  // Else the library would close the socket.
  MHD_quiesce_daemon(daemon_);
  for (Kept& kept : pages_) {
    if (kept.response != nullptr) MHD_destroy_response(kept.response);
  }
  MHD_stop_daemon(daemon_);
}

uint64_t HttpServer::NextDeadline() const {
  return ready_ ? now_us_ + kPauseUs : timeout_us_;
}

void HttpServer::OnTimer(uint64_t now_us) {
  if (now_us < NextDeadline()) return;
  now_us_ = now_us;
  const unsigned before = Connections();
  MHD_run(daemon_);
  // It accepts again at the look behind the one at which somebody went, and
  // does not ask for it.
  ready_ = Connections() < before;
  loop_.Change(fd_, EPOLLIN);
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  timeout_us_ = MHD_get_timeout(daemon_, &wait_ms) == MHD_YES
                    ? now_us + std::max<uint64_t>(wait_ms * 1000, kPauseUs)
                    : kNever;
}

unsigned HttpServer::Connections() const {
  const MHD_DaemonInfo* info =
      MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
  return info == nullptr ? 0 : info->num_connections;
}

std::string HttpServer::Paths() const {
  std::string paths;
  for (const Kept& kept : pages_) {
    paths += (paths.empty() ? "" : ", ") + kept.page.path;
  }
  return paths;
}

int HttpServer::Refuse(MHD_Connection* connection, unsigned status,
                       const std::string& sentence) const {
  MHD_Response* response = MakeResponse(sentence + "\n", kPlain);
  if (response == nullptr) return MHD_NO;
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const int queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

MHD_Response* HttpServer::ResponseOf(Kept& kept) const {
  if (kept.response != nullptr && now_us_ - kept.made_us < kFreshUs) {
    return kept.response;
  }
  if (kept.response != nullptr) MHD_destroy_response(kept.response);
  kept.response = MakeResponse(kept.page.body(), kept.page.type.c_str());
  kept.made_us = now_us_;
  return kept.response;
}

// Called once the headers are read; what is sent behind them is not looked at.
int HttpServer::OnRequest(MHD_Connection* connection, std::string_view path,
                          std::string_view method) {
  const char* host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                 MHD_HTTP_HEADER_HOST);
  if (hosts_ == Hosts::kOwn && host != nullptr && !IsOwnHost(host)) {
    return Refuse(connection, MHD_HTTP_MISDIRECTED_REQUEST,
                  "this server goes by its address or by localhost alone");
  }
  const auto found =
      std::find_if(pages_.begin(), pages_.end(),
                   [path](const Kept& kept) { return kept.page.path == path; });
  if (found == pages_.end()) {
    return Refuse(connection, MHD_HTTP_NOT_FOUND, "there is " + Paths());
  }
  if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD) {
    return Refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                  "pages are read by GET and HEAD alone");
  }
  MHD_Response* response = ResponseOf(*found);
  if (response == nullptr) return MHD_NO;
  return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

}  // namespace lwt::web
