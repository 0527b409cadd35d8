// JA4 of a TLS ClientHello over TCP: the method of FoxIO, as its description
// has it (github.com/FoxIO-LLC/ja4, technical_details/JA4.md; BSD 3-Clause).
// Only for tests.
#pragma once

#include <optional>
#include <string>

#include "control/handshake/bytes.h"

namespace lwt::handshake {

// Of a whole record; nullopt when it is no ClientHello.
std::optional<std::string> Ja4Of(ByteSpan record);

}  // namespace lwt::handshake
