// The control socket: one request a connection, one answer.
//
// Serves at most kMaxClients at a time, without ever blocking the loop. Who
// sends a request or takes an answer has two seconds for it; what is asked for
// may take kAnswerUs. Where the process has no descriptor left it serves
// one by a spare descriptor, and else looks again after kPauseUs: never at
// once, or the loop would spin. Owned by the gateway. Control thread.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/api/request.h"
#include "control/loop/component.h"
#include "control/loop/event_loop.h"

namespace lwt::loop {

class ApiServer final : public Component {
 public:
  // Takes the whole response to a request, once, at once or later, but not
  // after the server. Who asked may be gone by then.
  using Reply = std::function<void(std::string)>;
  using Handler = std::function<void(const api::Request&, Reply)>;
  // What whoever makes this request is told at first, if it is one that is
  // answered without end; what follows is for Tell.
  using Greeter =
      std::function<std::optional<std::string>(const api::Request&)>;
  static constexpr size_t kMaxClients = 16;
  static constexpr uint64_t kTimeoutUs = 2'000'000;
  static constexpr uint64_t kAnswerUs = 60'000'000;
  static constexpr uint64_t kPauseUs = 200'000;
  // Of what is told and not taken yet; who has more is dropped.
  static constexpr size_t kMostWaiting = 1 << 20;

  // Serves a listening socket, which stays the caller's. `loop` and the socket
  // outlive the server.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Serve(int listener,
                                                          EventLoop& loop,
                                                          Handler handler,
                                                          Greeter greeter = {});
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;
  ~ApiServer() override;

  // To all whose answer is without end.
  void Tell(std::string_view text);

  // Drops clients that took too long.
  void OnTimer(uint64_t now_us) override;
  uint64_t NextDeadline() const override;

 private:
  struct Client {
    int fd = -1;
    uint64_t number = 0;       // of no other
    bool asked = false;        // and waits for the handler
    bool follows = false;      // is told more and more
    uint64_t deadline_us = 0;  // 0: not seen by OnTimer yet
    std::string request;
    std::string response;
    size_t sent = 0;
  };
  using ClientIt = std::list<Client>::iterator;

  ApiServer(int listener, EventLoop& loop, Handler handler, Greeter greeter);
  absl::Status WatchListener();
  void Accept();
  int AcceptOne();
  void HoldSpare();
  void Pause();
  void OnReady(ClientIt client);
  void OnReply(uint64_t number, std::string response);
  bool Read(Client& client);
  bool Write(Client& client);
  bool GoOn(Client& client);
  void Respond(Client& client);
  void Drop(ClientIt client);

  const int listener_;
  EventLoop& loop_;
  const Handler handler_;
  const Greeter greeter_;
  std::list<Client> clients_;
  uint64_t next_number_ = 0;
  int spare_ = -1;
  bool paused_ = false;
  uint64_t resume_us_ = 0;  // while paused; 0: not seen by OnTimer yet
};

}  // namespace lwt::loop
