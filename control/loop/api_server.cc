#include "control/loop/api_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "control/config/text.h"

namespace lwt::loop {
namespace {

absl::Status Failure(std::string_view what, const std::string& path) {
  return absl::InternalError(config::Concat(
      "cannot ", what, " the control socket ", path, ": ", strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Listen(
    const std::string& path, EventLoop& loop, Handler handler) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        config::Concat("the path of the control socket is longer than ",
                       sizeof(address.sun_path) - 1, " bytes: ", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failure("make", path);
  // The mode is right from the first moment on.
  mode_t mask = umask(0177);
  int bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  umask(mask);
  if (bound != 0 || listen(fd, kMaxClients) != 0) {
    absl::Status status = Failure("listen at", path);
    close(fd);
    return status;
  }
  std::unique_ptr<ApiServer> server(
      new ApiServer(fd, path, loop, std::move(handler)));
  ApiServer* self = server.get();
  absl::Status status =
      loop.Watch(fd, EPOLLIN, [self](uint32_t) { self->Accept(); });
  if (!status.ok()) return status;
  return server;
}

ApiServer::ApiServer(int fd, std::string path, EventLoop& loop, Handler handler)
    : fd_(fd),
      path_(std::move(path)),
      loop_(loop),
      handler_(std::move(handler)) {}

ApiServer::~ApiServer() {
  while (!clients_.empty()) Drop(clients_.begin());
  loop_.Forget(fd_);
  close(fd_);
  unlink(path_.c_str());
}

void ApiServer::Accept() {
  int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (clients_.size() == kMaxClients) Drop(clients_.begin());
  clients_.push_back({.fd = fd});
  ClientIt client = std::prev(clients_.end());
  absl::Status status =
      loop_.Watch(fd, EPOLLIN, [this, client](uint32_t) { OnReady(client); });
  if (!status.ok()) Drop(client);
}

void ApiServer::OnReady(ClientIt client) {
  bool keep = client->response.empty() ? Read(*client) : Write(*client);
  if (!keep) Drop(client);
}

bool ApiServer::Read(Client& client) {
  std::array<char, api::kMaxRequestBytes> bytes;
  ssize_t n = read(client.fd, bytes.data(), bytes.size());
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  client.request.append(bytes.data(), static_cast<size_t>(n));
  bool whole = client.request.find('\n') != std::string::npos;
  if (!whole && client.request.size() < api::kMaxRequestBytes) return true;
  Answer(client);
  return Write(client);
}

void ApiServer::Answer(Client& client) {
  std::optional<api::Request> request = api::ParseRequest(
      {reinterpret_cast<const uint8_t*>(client.request.data()),
       client.request.size()});
  client.response = request ? handler_(*request)
                            : api::ErrorResponse(
                                  "the request is not understood; lwtctl and "
                                  "the gateway may be of different versions");
}

bool ApiServer::Write(Client& client) {
  ssize_t n = send(client.fd, client.response.data() + client.sent,
                   client.response.size() - client.sent, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
  if (n > 0) client.sent += static_cast<size_t>(n);
  if (client.sent == client.response.size()) return false;
  loop_.Change(client.fd, EPOLLOUT);
  return true;
}

void ApiServer::Drop(ClientIt client) {
  loop_.Forget(client->fd);
  close(client->fd);
  clients_.erase(client);
}

void ApiServer::OnTimer(uint64_t now_us) {
  for (auto it = clients_.begin(); it != clients_.end();) {
    ClientIt client = it++;
    if (client->deadline_us == 0) client->deadline_us = now_us + kTimeoutUs;
    if (client->deadline_us <= now_us) Drop(client);
  }
}

uint64_t ApiServer::NextDeadline() const {
  uint64_t next = UINT64_MAX;
  for (const Client& client : clients_) {
    if (client.deadline_us != 0) next = std::min(next, client.deadline_us);
  }
  return next;
}

}  // namespace lwt::loop
