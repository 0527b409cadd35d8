// The first line of a file of state, such as "lightweight-tunnel banned 1":
// whose it is, what it holds, and by which version of the form. A reader knows
// its own and those before.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace lwt::host {

// The content of the file `path`: all state that has such a first line is read
// by this. NotFound when there is none. FailedPrecondition when it says of
// itself that it is of a later form than `own_line` (one as above): a later
// version of this program was here, and to go on without what it wrote, or over
// it, would lose that. Anything else is handed out, rubbish as well.
absl::StatusOr<std::string> ReadState(const std::string& path,
                                      std::string_view own_line);

}  // namespace lwt::host
