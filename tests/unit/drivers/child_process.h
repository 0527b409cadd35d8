// Runs a piece of a test in a process of its own: DPDK starts only once in
// each, and keeps its threads.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace lwt {

// Ends the piece with a text when a condition does not hold.
#define LWT_CHILD_EXPECT(condition)    \
  do {                                 \
    if (!(condition)) {                \
      return std::string(#condition) + \
             " does not hold, "        \
             "line " +                 \
             std::to_string(__LINE__); \
    }                                  \
  } while (false)

// What `body` returns in a forked child: empty when all was well there. Says
// so when the child died instead.
inline std::string RunInChild(const std::function<std::string()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return "pipe failed";
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    const std::string complaint = body();
    const ssize_t n = write(ends[1], complaint.data(), complaint.size());
    _exit(n == static_cast<ssize_t>(complaint.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string complaint;
  char buffer[512];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    complaint.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return "no child";
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    complaint +=
        " (the child ended with status " + std::to_string(status) + ")";
  }
  return complaint;
}

}  // namespace lwt
