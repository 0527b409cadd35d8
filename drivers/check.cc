#include "drivers/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace lwt::internal {

// By write(2): nothing is known of the heap, nor of stdio's locks.
void CheckFailed(const char* what, const char* file, int line) {
  char text[512];
  const int size = snprintf(text, sizeof(text),
                            "lightweight-tunnel: %s:%d: does not hold: %s\n",
                            file, line, what);
  if (size > 0) {
    [[maybe_unused]] const ssize_t written =
        write(STDERR_FILENO, text, strnlen(text, sizeof(text)));
  }
  abort();
}

}  // namespace lwt::internal
