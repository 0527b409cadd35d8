// joiner: many clients at once, each with a key of its own, for as long as it
// takes the hub to accept or refuse them. The handshake is the product's, the
// TCP is the kernel's.
//
//   joiner -to ADDRESS:PORT -key TEXT -from ADDRESS -tunnel ADDRESS
//          [-count N] [-at-once N] [-rate N]
//   joiner -key TEXT
//
// Clients come from 256 networks in turn, the /24 of -from and those that
// follow it; the n-th asks for the n-th tunnel address from -tunnel on. They
// come as fast as others have their answer, or at most -rate a second. Prints
// one JSON object when all have an answer, and holds the connections until its
// standard input ends. Without -to it prints the first message of a client, in
// hex.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/handshake/client_handshake.h"
#include "control/handshake/psk.h"
#include "drivers/ip_endpoint.h"

namespace lwt::joiner {
namespace {

using handshake::ByteVector;
using handshake::ClientConfig;
using handshake::ClientHandshake;
using handshake::ClientProgress;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{20};
constexpr uint32_t kNetworks = 256;

uint64_t UnixMs() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
}

IpAddress Nth(IpAddress address, uint32_t n) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | address.bytes[i];
  value += n;
  for (size_t i = 0; i < 4; ++i) {
    address.bytes[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
  }
  return address;
}

sockaddr_in SocketAddress(const IpAddress& address, uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  std::copy_n(address.bytes.begin(), 4,
              reinterpret_cast<uint8_t*>(&name.sin_addr));
  return name;
}

struct Options {
  std::optional<Endpoint> to;
  std::optional<IpAddress> from;
  std::optional<IpAddress> tunnel;
  std::string key;
  uint32_t count = 1;
  uint32_t at_once = 64;
  uint32_t rate = 0;  // a second; 0: no limit
};

// One client, from its SYN to the hub's verdict.
class Joining {
 public:
  enum class State { kRunning, kAdmitted, kRefused, kFailed };

  Joining(const handshake::SecretKey& psk, const Options& options, uint32_t n)
      : identity_(handshake::GenerateStaticKey()), begun_(Clock::now()) {
    ClientConfig config;
    config.psk = &psk;
    config.identity = &identity_;
    config.offer.mtu = 1300;
    config.offer.addresses = {{Nth(*options.tunnel, n), 16}};
    handshake_.emplace(config);
    const uint32_t source = n % kNetworks * 256 + n / kNetworks;
    Connect(SocketAddress(Nth(*options.from, source), 0),
            SocketAddress(options.to->address, options.to->port));
  }
  Joining(const Joining&) = delete;
  Joining& operator=(const Joining&) = delete;
  ~Joining() {
    if (fd_ >= 0) close(fd_);
  }

  State state() const { return state_; }
  int fd() const { return fd_; }
  short events() const { return connected_ ? POLLIN : POLLOUT; }
  double took_ms() const { return took_.count(); }
  const std::string& why() const { return why_; }

  void OnReady() {
    if (!connected_) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return End(State::kFailed, std::strerror(error));
      connected_ = true;
      return Send(handshake_->Start(UnixMs()));
    }
    uint8_t bytes[8192];
    const ssize_t got = read(fd_, bytes, sizeof bytes);
    if (got <= 0) return End(State::kFailed, "closed before a verdict");
    ByteVector output;
    const ClientProgress progress =
        handshake_->Feed({bytes, static_cast<size_t>(got)}, UnixMs(), &output);
    Send(output);
    if (progress == ClientProgress::kDone) {
      End(State::kAdmitted, "");
    } else if (progress == ClientProgress::kFailed) {
      const bool refused = absl::IsPermissionDenied(handshake_->status());
      End(refused ? State::kRefused : State::kFailed,
          std::string(handshake_->status().message()));
    }
  }

  void GiveUpAfter(std::chrono::seconds patience) {
    if (Clock::now() - begun_ > patience) End(State::kFailed, "no answer");
  }

 private:
  void Connect(const sockaddr_in& from, const sockaddr_in& to) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const auto* own = reinterpret_cast<const sockaddr*>(&from);
    const auto* hub = reinterpret_cast<const sockaddr*>(&to);
    if (bind(fd_, own, sizeof from) != 0 ||
        (connect(fd_, hub, sizeof to) != 0 && errno != EINPROGRESS)) {
      End(State::kFailed, std::strerror(errno));
    }
  }

  void Send(const ByteVector& bytes) {
    if (!bytes.empty() && write(fd_, bytes.data(), bytes.size()) !=
                              static_cast<ssize_t>(bytes.size())) {
      End(State::kFailed, "a write was cut short");
    }
  }

  void End(State state, std::string why) {
    if (state_ != State::kRunning) return;
    state_ = state;
    why_ = std::move(why);
    took_ = Clock::now() - begun_;
  }

  handshake::StaticKey identity_;
  std::optional<ClientHandshake> handshake_;
  const Clock::time_point begun_;
  std::chrono::duration<double, std::milli> took_{};
  int fd_ = -1;
  bool connected_ = false;
  State state_ = State::kRunning;
  std::string why_;
};

using Clients = std::vector<std::unique_ptr<Joining>>;

// Short enough for the clients that are due next.
constexpr int kWaitMs = 5;

void Wait(const Clients& clients, size_t first) {
  std::vector<pollfd> polled;
  std::vector<Joining*> running;
  for (size_t i = first; i < clients.size(); ++i) {
    if (clients[i]->state() != Joining::State::kRunning) continue;
    polled.push_back({clients[i]->fd(), clients[i]->events(), 0});
    running.push_back(clients[i].get());
  }
  poll(polled.data(), polled.size(), kWaitMs);
  for (size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0) running[i]->OnReady();
    running[i]->GiveUpAfter(kPatience);
  }
}

void Print(const Clients& clients) {
  uint32_t admitted = 0;
  uint32_t refused = 0;
  double slowest_ms = 0;
  std::map<std::string, uint32_t> failed;
  for (const auto& client : clients) {
    slowest_ms = std::max(slowest_ms, client->took_ms());
    switch (client->state()) {
      case Joining::State::kAdmitted:
        ++admitted;
        break;
      case Joining::State::kRefused:
        ++refused;
        break;
      default:
        ++failed[client->why()];
    }
  }
  std::printf("{\"admitted\": %u, \"refused\": %u, \"failed\": {", admitted,
              refused);
  const char* separator = "";
  for (const auto& [why, count] : failed) {
    std::printf("%s\"%s\": %u", separator, why.c_str(), count);
    separator = ", ";
  }
  std::printf("}, \"slowest_ms\": %.1f}\n", slowest_ms);
  std::fflush(stdout);
}

// How many clients are to have come by then.
size_t DueOf(const Options& options, std::chrono::duration<double> passed) {
  if (options.rate == 0) return options.count;
  const double due = 1 + options.rate * passed.count();
  return std::min<size_t>(options.count, static_cast<size_t>(due));
}

int Join(const handshake::SecretKey& psk, const Options& options) {
  Clients clients;
  size_t first = 0;  // all before it have an answer
  const Clock::time_point begun = Clock::now();
  while (first < options.count) {
    while (clients.size() < DueOf(options, Clock::now() - begun) &&
           clients.size() - first < options.at_once) {
      clients.push_back(std::make_unique<Joining>(
          psk, options, static_cast<uint32_t>(clients.size())));
    }
    Wait(clients, first);
    while (first < clients.size() &&
           clients[first]->state() != Joining::State::kRunning) {
      ++first;
    }
  }
  Print(clients);
  while (std::getchar() != EOF) continue;
  return 0;
}

int PrintHello(const handshake::SecretKey& psk) {
  const handshake::StaticKey identity = handshake::GenerateStaticKey();
  ClientConfig config;
  config.psk = &psk;
  config.identity = &identity;
  config.offer.mtu = 1300;
  config.offer.addresses = {*ParseIpPrefix("10.0.0.2/16")};
  for (const uint8_t byte : ClientHandshake(config).Start(UnixMs())) {
    std::printf("%02x", byte);
  }
  std::printf("\n");
  return 0;
}

bool Read(int argc, char** argv, Options& options) {
  if (argc % 2 != 1) return false;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "-to") {
      options.to = ParseEndpoint(value);
    } else if (name == "-from") {
      options.from = ParseIpAddress(value);
    } else if (name == "-tunnel") {
      options.tunnel = ParseIpAddress(value);
    } else if (name == "-key") {
      options.key = value;
    } else if (name == "-count") {
      options.count = static_cast<uint32_t>(std::atoi(value));
    } else if (name == "-rate") {
      options.rate = static_cast<uint32_t>(std::atoi(value));
    } else if (name == "-at-once") {
      options.at_once = static_cast<uint32_t>(std::atoi(value));
    } else {
      return false;
    }
  }
  return !options.key.empty() &&
         (!options.to || (options.from && options.tunnel));
}

int Main(int argc, char** argv) {
  Options options;
  if (!Read(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: joiner -key TEXT [-to ADDRESS:PORT -from ADDRESS "
                 "-tunnel ADDRESS [-count N] [-at-once N] [-rate N]]\n");
    return 2;
  }
  if (sodium_init() < 0) return 1;
  const auto psk = handshake::DerivePsk(options.key, "default");
  if (!psk.ok()) {
    std::fprintf(stderr, "joiner: %s\n", psk.status().ToString().c_str());
    return 1;
  }
  return options.to ? Join(*psk, options) : PrintHello(*psk);
}

}  // namespace
}  // namespace lwt::joiner

int main(int argc, char** argv) { return lwt::joiner::Main(argc, argv); }
