// Whose TCP the outer flows show.
#pragma once

#include <string>
#include <string_view>

#include "control/config/config.h"
#include "dataplane/flow/persona.h"

namespace lwt::host {

// As `uname -r` says it: "6.18.44-cloud-amd64".
std::string KernelRelease();

// `auto` is the persona of the kernel with that release.
Persona PersonaOf(config::PersonaChoice choice, std::string_view release);

std::string_view NameOf(Persona persona);  // "linux-6.18"

}  // namespace lwt::host
