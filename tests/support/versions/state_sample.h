// State of every kind, as a gateway leaves it in its folders.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace lwt::versions {

// Writes the files into `folder`, by this version.
absl::Status WriteSampleState(const std::string& folder);

// Whether this version reads from `folder` what WriteSampleState meant: the
// sentence for the first file that it does not.
absl::Status CheckSampleState(const std::string& folder);

}  // namespace lwt::versions
