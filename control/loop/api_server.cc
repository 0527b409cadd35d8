#include "control/loop/api_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

namespace lwt::loop {
namespace {

// What accept says when the process or the host has no room for one more.
bool IsOutOfRoom(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Serve(int listener,
                                                            EventLoop& loop,
                                                            Handler handler,
                                                            Greeter greeter) {
  std::unique_ptr<ApiServer> server(
      new ApiServer(listener, loop, std::move(handler), std::move(greeter)));
  absl::Status status = server->WatchListener();
  if (!status.ok()) return status;
  return server;
}

ApiServer::ApiServer(int listener, EventLoop& loop, Handler handler,
                     Greeter greeter)
    : listener_(listener),
      loop_(loop),
      handler_(std::move(handler)),
      greeter_(std::move(greeter)) {
  HoldSpare();
}

ApiServer::~ApiServer() {
  while (!clients_.empty()) Drop(clients_.begin());
  loop_.Forget(listener_);
  if (spare_ >= 0) close(spare_);
}

absl::Status ApiServer::WatchListener() {
  return loop_.Watch(listener_, EPOLLIN, [this](uint32_t) { Accept(); });
}

void ApiServer::HoldSpare() {
  if (spare_ < 0) spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int ApiServer::AcceptOne() {
  return accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void ApiServer::Accept() {
  int fd = AcceptOne();
  if (fd < 0 && IsOutOfRoom(errno)) {
    if (spare_ >= 0) {
      close(std::exchange(spare_, -1));
      fd = AcceptOne();
    }
    if (fd < 0) return Pause();
  }
  if (fd < 0) return;
  if (clients_.size() == kMaxClients) Drop(clients_.begin());
  clients_.push_back({.fd = fd, .number = next_number_++});
  ClientIt client = std::prev(clients_.end());
  absl::Status status =
      loop_.Watch(fd, EPOLLIN, [this, client](uint32_t) { OnReady(client); });
  if (!status.ok()) Drop(client);
}

// Who waits to be accepted keeps the listener ready, and the loop awake.
void ApiServer::Pause() {
  loop_.Forget(listener_);
  paused_ = true;
  resume_us_ = 0;
}

void ApiServer::OnReady(ClientIt client) {
  // Of one that waits nothing is watched, so it has gone.
  bool keep = false;
  if (client->follows) {
    keep = GoOn(*client);
  } else if (!client->asked) {
    keep = client->response.empty() ? Read(*client) : Write(*client);
  }
  if (!keep) Drop(client);
}

void ApiServer::OnReply(uint64_t number, std::string response) {
  const auto client =
      std::find_if(clients_.begin(), clients_.end(),
                   [&](const Client& each) { return each.number == number; });
  if (client == clients_.end() || !client->asked) return;
  client->asked = false;
  client->deadline_us = 0;
  client->response = std::move(response);
  loop_.Change(client->fd, EPOLLOUT);
}

bool ApiServer::Read(Client& client) {
  std::array<char, api::kMaxRequestBytes> bytes;
  ssize_t n = read(client.fd, bytes.data(), bytes.size());
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  client.request.append(bytes.data(), static_cast<size_t>(n));
  bool whole = client.request.find('\n') != std::string::npos;
  if (!whole && client.request.size() < api::kMaxRequestBytes) return true;
  Respond(client);
  return true;
}

void ApiServer::Respond(Client& client) {
  std::optional<api::Request> request = api::ParseRequest(
      {reinterpret_cast<const uint8_t*>(client.request.data()),
       client.request.size()});
  if (request && greeter_) {
    if (std::optional<std::string> greeting = greeter_(*request)) {
      client.follows = true;
      client.deadline_us = UINT64_MAX;
      client.response.append(api::kStreamResponse).append(*greeting);
      loop_.Change(client.fd, EPOLLOUT);
      return;
    }
  }
  const uint64_t number = client.number;
  client.asked = true;
  client.deadline_us = 0;
  loop_.Change(client.fd, 0);
  if (request) {
    handler_(*request, [this, number](std::string response) {
      OnReply(number, std::move(response));
    });
  } else {
    OnReply(number,
            api::ErrorResponse("the request is not understood; lwtctl and the "
                               "gateway may be of different versions"));
  }
}

bool ApiServer::Write(Client& client) {
  ssize_t n = send(client.fd, client.response.data() + client.sent,
                   client.response.size() - client.sent, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
  if (n > 0) client.sent += static_cast<size_t>(n);
  if (client.sent == client.response.size()) return false;
  return true;
}

// Of one to whom all was told nothing is watched, so it has gone.
bool ApiServer::GoOn(Client& client) {
  if (client.response.empty()) return false;
  const ssize_t n = send(client.fd, client.response.data() + client.sent,
                         client.response.size() - client.sent, MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  client.sent += static_cast<size_t>(n);
  if (client.sent < client.response.size()) return true;
  client.response.clear();
  client.sent = 0;
  loop_.Change(client.fd, 0);
  return true;
}

void ApiServer::Tell(std::string_view text) {
  for (Client& client : clients_) {
    if (!client.follows || client.deadline_us == 1) continue;
    const size_t waiting = client.response.size() - client.sent;
    if (waiting + text.size() > kMostWaiting) {
      // Dropped by OnTimer: whoever tells may be in the middle of something.
      client.deadline_us = 1;
      continue;
    }
    if (waiting == 0) loop_.Change(client.fd, EPOLLOUT);
    client.response.erase(0, std::exchange(client.sent, 0));
    client.response.append(text);
  }
}

void ApiServer::Drop(ClientIt client) {
  loop_.Forget(client->fd);
  close(client->fd);
  clients_.erase(client);
  HoldSpare();
}

void ApiServer::OnTimer(uint64_t now_us) {
  for (auto it = clients_.begin(); it != clients_.end();) {
    ClientIt client = it++;
    if (client->deadline_us == 0) {
      client->deadline_us = now_us + (client->asked ? kAnswerUs : kTimeoutUs);
    }
    if (client->deadline_us <= now_us) Drop(client);
  }
  if (!paused_) return;
  if (resume_us_ == 0) resume_us_ = now_us + kPauseUs;
  if (now_us < resume_us_) return;
  HoldSpare();
  paused_ = !WatchListener().ok();
  resume_us_ = now_us + kPauseUs;
}

uint64_t ApiServer::NextDeadline() const {
  uint64_t next = paused_ && resume_us_ != 0 ? resume_us_ : UINT64_MAX;
  for (const Client& client : clients_) {
    if (client.deadline_us != 0) next = std::min(next, client.deadline_us);
  }
  return next;
}

}  // namespace lwt::loop
