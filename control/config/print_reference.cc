// Prints docs/configuration.md: build `config-reference`, run it, keep the
// output as the page.
#include <cstdio>

#include "control/config/reference.h"

int main() {
  std::string page = lwt::config::ReferencePage();
  return fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
}
