#include "control/loop/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lwt::loop {

absl::StatusOr<std::unique_ptr<Signals>> Signals::Create() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGIO, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int number :
       {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) {
    sigaddset(&set, number);
  }
  int error = pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (error != 0) {
    return absl::InternalError(
        absl::StrCat("cannot block signals: ", strerror(error)));
  }
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) {
    return absl::InternalError(
        absl::StrCat("cannot make a signal descriptor: ", strerror(errno)));
  }
  return std::unique_ptr<Signals>(new Signals(fd));
}

bool Signals::Ends(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
}

bool Signals::Reloads(int signal) { return signal == SIGHUP; }

Signals::~Signals() { close(fd_); }

int Signals::Read() {
  signalfd_siginfo info{};
  if (read(fd_, &info, sizeof(info)) != sizeof(info)) return 0;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace lwt::loop
