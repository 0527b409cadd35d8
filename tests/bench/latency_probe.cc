// Round trips of small UDP datagrams, in nanoseconds.
//
// usage: latency-probe echo ADDRESS             answers until it is killed
//        latency-probe ask ADDRESS COUNT PAUSE  one microsecond count a line;
//                                               "lost" for none within 1 s
//        latency-probe first ADDRESS            asks every 2 ms until the first
//                                               answer; prints the monotonic
//                                               clock then, in seconds
// PAUSE is the mean time between an answer and the next question, in
// microseconds; it varies by half so as not to beat with anybody's timer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

namespace {

constexpr uint16_t kPort = 7007;
constexpr int kLostMs = 1000;
constexpr int kRetryMs = 2;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

sockaddr_in Address(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) Fail(text);
  return address;
}

int Socket() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  return fd;
}

[[noreturn]] void Echo(const char* text) {
  const int fd = Socket();
  const sockaddr_in address = Address(text);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
      0) {
    Fail("bind");
  }
  std::puts("ready");
  std::fflush(stdout);
  while (true) {
    sockaddr_in from{};
    socklen_t size = sizeof(from);
    uint64_t number = 0;
    const ssize_t got = recvfrom(fd, &number, sizeof(number), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got == sizeof(number)) {
      sendto(fd, &number, sizeof(number), 0,
             reinterpret_cast<const sockaddr*>(&from), size);
    }
  }
}

// True when the answer to `number` came within `wait_ms`; late answers to
// others are passed over.
bool Ask(int fd, const sockaddr_in& address, uint64_t number, int wait_ms) {
  sendto(fd, &number, sizeof(number), 0,
         reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int64_t until = NowNs() + wait_ms * 1'000'000L;
  while (true) {
    const int64_t left = until - NowNs();
    pollfd waiting = {fd, POLLIN, 0};
    const timespec time = {left > 0 ? left / 1'000'000'000 : 0,
                           left > 0 ? left % 1'000'000'000 : 0};
    if (ppoll(&waiting, 1, &time, nullptr) <= 0) return false;
    uint64_t answer = 0;
    if (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer) &&
        answer == number) {
      return true;
    }
  }
}

void AskMany(const char* text, int count, int pause_us) {
  const int fd = Socket();
  const sockaddr_in address = Address(text);
  std::mt19937 random(1);
  std::uniform_int_distribution<int> pause(pause_us / 2, pause_us * 3 / 2);
  for (int i = 1; i <= count; ++i) {
    const int64_t begun = NowNs();
    if (Ask(fd, address, static_cast<uint64_t>(i), kLostMs)) {
      std::printf("%.3f\n", static_cast<double>(NowNs() - begun) / 1000);
    } else {
      std::puts("lost");
    }
    const timespec rest = {0, pause(random) * 1000L};
    nanosleep(&rest, nullptr);
  }
}

// The device may not be there yet: then asking fails at once.
void First(const char* text) {
  const int fd = Socket();
  const sockaddr_in address = Address(text);
  uint64_t number = 1;
  while (!Ask(fd, address, number, kRetryMs)) ++number;
  std::printf("%.6f\n", static_cast<double>(NowNs()) / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (what == "echo") Echo(argv[2]);
  if (what == "first") {
    First(argv[2]);
    return 0;
  }
  if (what == "ask" && argc == 5) {
    AskMany(argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
    return 0;
  }
  std::fputs(
      "usage: latency-probe echo|first ADDRESS | ask ADDRESS COUNT "
      "PAUSE\n",
      stderr);
  return 2;
}
