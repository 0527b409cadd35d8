// Text for whoever started a program.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace lwt::cli {

inline void Print(FILE* stream, std::string_view text) {
  fwrite(text.data(), 1, text.size(), stream);
}

// The exit status of a program that comes to its end by `exit_code`: 1, with a
// sentence on `err`, where something that it printed on `out` got lost, as on a
// full disk. For main() alone, so that no command is without it.
inline int Finish(FILE* out, FILE* err, std::string_view program,
                  int exit_code) {
  errno = 0;
  const bool flushed = fflush(out) == 0;
  if (flushed && ferror(out) == 0) return exit_code;
  Print(err, program);
  Print(err, ": cannot write what was to be printed");
  // An earlier failure's reason is no longer known.
  if (!flushed && errno != 0) {
    Print(err, ": ");
    Print(err, strerror(errno));
  }
  Print(err, "\n");
  return 1;
}

}  // namespace lwt::cli
