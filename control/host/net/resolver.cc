#include "control/host/net/resolver.h"

#include <absl/strings/str_cat.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace lwt::host {
namespace {

std::optional<IpAddress> AddressOf(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(address);
    return IpAddress::FromBytes(
        Family::kIpv4, reinterpret_cast<const uint8_t*>(&ipv4->sin_addr));
  }
  if (address->sa_family == AF_INET6) {
    const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(address);
    return IpAddress::FromBytes(Family::kIpv6, ipv6->sin6_addr.s6_addr);
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<Endpoint>> WithPort(
    const absl::StatusOr<std::vector<IpAddress>>& addresses, uint16_t port) {
  if (!addresses.ok()) return addresses.status();
  std::vector<Endpoint> endpoints;
  for (const IpAddress& address : *addresses) {
    const Endpoint endpoint{address, port};
    if (std::find(endpoints.begin(), endpoints.end(), endpoint) ==
        endpoints.end()) {
      endpoints.push_back(endpoint);
    }
  }
  return endpoints;
}

}  // namespace

// Shared by the resolver and its thread, whichever lives longer.
struct Resolver::State {
  State(Lookup function, int fd) : lookup(std::move(function)), event_fd(fd) {}
  ~State() { close(event_fd); }

  struct Query {
    uint64_t id = 0;
    std::string host;
    uint16_t port = 0;
  };

  void Finish(Result result);  // the mutex is held
  void RunThread();

  const Lookup lookup;
  const int event_fd;
  std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  size_t threads = 0;
  bool starting = false;      // one that has not run yet
  size_t idle = 0;            // of them
  std::set<uint64_t> wanted;  // queries being looked up whose answer counts
  std::deque<Query> queries;
  std::vector<Result> results;
};

void Resolver::State::Finish(Result result) {
  results.push_back(std::move(result));
  const uint64_t one = 1;
  // Cannot fail: the counter never comes near its limit.
  [[maybe_unused]] const ssize_t written = write(event_fd, &one, sizeof(one));
}

void Resolver::State::RunThread() {
  std::unique_lock lock(mutex);
  starting = false;
  while (true) {
    ++idle;
    wake.wait(lock, [this] { return stop || !queries.empty(); });
    --idle;
    if (stop) return;
    const Query query = std::move(queries.front());
    queries.pop_front();
    wanted.insert(query.id);
    lock.unlock();
    auto endpoints = WithPort(lookup(query.host), query.port);
    lock.lock();
    if (stop) return;
    if (wanted.erase(query.id) != 0) {
      Finish({query.id, query.host, std::move(endpoints)});
    }
  }
}

absl::StatusOr<std::unique_ptr<Resolver>> Resolver::Create() {
  return Create(SystemLookup);
}

absl::StatusOr<std::unique_ptr<Resolver>> Resolver::Create(Lookup lookup) {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot make an eventfd");
  return std::unique_ptr<Resolver>(
      new Resolver(std::make_shared<State>(std::move(lookup), fd)));
}

Resolver::Resolver(std::shared_ptr<State> state) : state_(std::move(state)) {}

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->stop = true;
  state_->wake.notify_all();
}

absl::StatusOr<uint64_t> Resolver::Start(std::string_view host, uint16_t port) {
  const std::lock_guard lock(state_->mutex);
  if (state_->queries.size() + state_->results.size() >= kMaxPending) {
    return absl::ResourceExhaustedError(
        absl::StrCat("too many names wait to be resolved, ", std::string(host),
                     " is one more"));
  }
  const uint64_t id = next_id_++;
  if (const auto address = ParseIpAddress(host)) {
    state_->Finish({id, std::string(host),
                    std::vector<Endpoint>{Endpoint{*address, port}}});
    return id;
  }
  state_->queries.push_back({id, std::string(host), port});
  state_->wake.notify_one();
  EnsureThread();
  return id;
}

// Somebody will look at the queries before what hangs unwanted is over.
void Resolver::EnsureThread() {
  State& state = *state_;
  if (state.queries.empty() || state.idle > 0 || !state.wanted.empty() ||
      state.starting || state.threads == kMaxThreads) {
    return;
  }
  ++state.threads;
  state.starting = true;
  // Detached: getaddrinfo cannot be interrupted, and exit does not wait.
  std::thread([shared = state_] { shared->RunThread(); }).detach();
}

void Resolver::Cancel(uint64_t id) {
  const std::lock_guard lock(state_->mutex);
  std::erase_if(state_->queries,
                [id](const State::Query& q) { return q.id == id; });
  std::erase_if(state_->results, [id](const Result& r) { return r.id == id; });
  state_->wanted.erase(id);
  EnsureThread();
}

int Resolver::event_fd() const { return state_->event_fd; }

std::vector<Resolver::Result> Resolver::Drain() {
  const std::lock_guard lock(state_->mutex);
  uint64_t count = 0;
  // EAGAIN when nothing is there, which the empty results say as well.
  [[maybe_unused]] const ssize_t size =
      read(state_->event_fd, &count, sizeof(count));
  return std::exchange(state_->results, {});
}

absl::StatusOr<std::vector<IpAddress>> SystemLookup(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    const std::string text =
        absl::StrCat("cannot resolve ", host, ": ", gai_strerror(error));
    if (error == EAI_NONAME) return absl::NotFoundError(text);
    return absl::UnavailableError(text);
  }
  std::vector<IpAddress> addresses;
  for (const addrinfo* item = list; item != nullptr; item = item->ai_next) {
    if (const auto address = AddressOf(item->ai_addr)) {
      addresses.push_back(*address);
    }
  }
  freeaddrinfo(list);
  if (addresses.empty()) {
    return absl::NotFoundError(
        absl::StrCat(host, " has neither an IPv4 nor an IPv6 address"));
  }
  return addresses;
}

}  // namespace lwt::host
