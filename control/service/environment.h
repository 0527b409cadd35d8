// What whoever started the process gives it by its environment: folders of its
// own, secrets, and where its log goes (systemd.exec(5)). Another service
// manager, or an ordinary user, may set the same variables.
#pragma once

#include <string>

namespace lwt::service {

struct Environment {
  std::string run_dir;          // $RUNTIME_DIRECTORY; empty: none
  std::string state_dir;        // $STATE_DIRECTORY; empty: none
  std::string credentials_dir;  // $CREDENTIALS_DIRECTORY; empty: none
  bool ordinary_user = false;   // who makes no folders in /run
};

// Of a list of folders the first. A path that is not absolute counts as none.
Environment ReadEnvironment();

// Whether `fd` is the stream that $JOURNAL_STREAM says leads to the journal,
// which tells the time of each line by itself and takes its priority from it.
bool IsJournal(int fd);

}  // namespace lwt::service
