// A name helper in a process of its own, with the programs of a test.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "control/host/instance/name_helper.h"
#include "tests/unit/control/host/instance/fake_resolvers.h"

namespace lwt::host {

class HelperProcess {
 public:
  explicit HelperProcess(const FakeResolvers& host) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    child_ = fork();
    EXPECT_GE(child_, 0);
    if (child_ == 0) {
      close(ends[0]);
      _exit(RunNameHelper(ends[1], host.places()));
    }
    close(ends[1]);
    helper_ = std::make_unique<NameHelper>(ScopedFd(ends[0]));
  }
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  ~HelperProcess() {
    helper_.reset();  // which ends it
    if (child_ > 0) Ended();
  }

  NameHelper& operator*() { return *helper_; }
  NameHelper* get() { return helper_.get(); }
  pid_t pid() const { return child_; }
  // Its exit status, once it has ended.
  int Ended() {
    int status = -1;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    child_ = -1;
    return status;
  }

 private:
  pid_t child_ = -1;
  std::unique_ptr<NameHelper> helper_;
};

}  // namespace lwt::host
