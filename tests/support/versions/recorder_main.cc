// Records this version for those to come (docs/testing.md, "Versions"):
//
//   record_version FOLDER
//
// writes FOLDER/VERSION with `tape`, a conversation, and `state`, a folder of
// files.
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "control/base/files.h"
#include "control/cli/version.h"
#include "control/handshake/crypto.h"
#include "tests/support/versions/conversation.h"
#include "tests/support/versions/state_sample.h"

namespace lwt::versions {
namespace {

absl::Status RecordAll(const std::string& folder) {
  const std::string version(cli::Version());
  const std::string own = absl::StrCat(folder, "/", version);
  absl::Status status = host::MakeDirectory(own + "/state");
  if (!status.ok()) return status;
  const Tape tape = Record(version, handshake::kOwnFeatures);
  for (const Speaker live : {Speaker::kClient, Speaker::kHub}) {
    const std::string fault = Replay(tape, live);
    if (!fault.empty()) return absl::InternalError(fault);
  }
  status = host::ReplaceFile(own + "/tape", FormatTape(tape));
  return status.ok() ? WriteSampleState(own + "/state") : status;
}

}  // namespace
}  // namespace lwt::versions

int main(int argc, char** argv) {
  if (argc != 2 || !lwt::handshake::InitCrypto()) {
    std::fputs("usage: record_version FOLDER\n", stderr);
    return 2;
  }
  const absl::Status status = lwt::versions::RecordAll(argv[1]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "record_version: %s\n", status.ToString().c_str());
  return 1;
}
