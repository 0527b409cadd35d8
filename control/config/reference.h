// What people read about the settings, made from the one table.
#pragma once

#include <string>

#include "control/config/config.h"

namespace lwt::config {

// docs/configuration.md, whole.
std::string ReferencePage();

// The settings as --help lists them: by group, with default and sentence.
std::string FlagList();

// `text` broken at spaces into lines of `width` columns, each after `indent`.
std::string Wrap(std::string_view text, std::string_view indent, size_t width);

}  // namespace lwt::config
