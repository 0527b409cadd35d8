// Programs in the PATH of a test that stand for those of a host: each writes
// down what it was called with, and resolvconf keeps what it is given.
#pragma once

#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "control/host/instance/host_names.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::host {

class FakeResolvers {
 public:
  FakeResolvers() : path_before_(getenv("PATH")) {
    signal(SIGPIPE, SIG_IGN);  // as the helper has it
    setenv("PATH", (path() + "/bin:" + path_before_).c_str(), 1);
    std::filesystem::create_directory(path() + "/bin");
  }
  FakeResolvers(const FakeResolvers&) = delete;
  FakeResolvers& operator=(const FakeResolvers&) = delete;
  ~FakeResolvers() { setenv("PATH", path_before_.c_str(), 1); }

  // resolvconf -a NAME …, -d NAME …: a file for each name.
  void AddResolvconf(const std::string& also = "") const {
    Program("resolvconf", "case $1 in -a) cat >" + path() +
                              "/record.$2;; -d) rm -f " + path() +
                              "/record.$2;; esac\n" + also);
  }
  void AddResolved(const std::string& also = "") const {
    std::ofstream(places().resolved) << "";
    Program("resolvectl", also);
  }
  void Program(const std::string& name, const std::string& body) const {
    const std::string file = path() + "/bin/" + name;
    std::ofstream(file) << "#!/bin/sh\necho " << name << " \"$*\" >>" << path()
                        << "/calls\n"
                        << body << "\n";
    chmod(file.c_str(), 0755);
  }
  // A host where nobody manages names: what this machine has is not found.
  void Nobody() const { setenv("PATH", (path() + "/bin").c_str(), 1); }

  std::string Read(const std::string& name) const {
    std::ifstream file(path() + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool Has(const std::string& name) const {
    return std::filesystem::exists(path() + "/" + name);
  }
  HostNames::Places places() const {
    return {.resolved = path() + "/resolved",
            .interface_order = path() + "/interface-order"};
  }
  std::string note() const { return path() + "/names"; }
  const std::string& path() const { return folder_.path(); }

 private:
  const ScratchDir folder_;
  const std::string path_before_;
};

}  // namespace lwt::host
