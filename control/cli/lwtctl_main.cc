#include <cstdio>

#include "control/cli/lwtctl.h"

int main(int argc, char** argv) {
  size_t count = argc > 1 ? static_cast<size_t>(argc) - 1 : 0;
  return lwt::cli::RunControl({argv + (count == 0 ? 0 : 1), count},
                              "/run/lightweight-tunnel", stdout, stderr);
}
