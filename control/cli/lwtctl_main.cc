#include <cstdio>

#include "control/cli/lwtctl.h"
#include "control/cli/print.h"

int main(int argc, char** argv) {
  size_t count = argc > 1 ? static_cast<size_t>(argc) - 1 : 0;
  const int exit_code =
      lwt::cli::RunControl({argv + (count == 0 ? 0 : 1), count},
                           "/run/lightweight-tunnel", stdout, stderr);
  return lwt::cli::Finish(stdout, stderr, "lwtctl", exit_code);
}
