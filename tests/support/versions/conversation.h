// A conversation of two gateways that has each kind of message: a handshake,
// packets, control messages, new keys, a further lane, the end.
#pragma once

#include <string>

#include "tests/support/versions/end.h"
#include "tests/support/versions/tape.h"

namespace lwt::versions {

// By this version, both sides.
Tape Record(std::string version, uint32_t features);

// This version in the place of one side, whose words have to be those of the
// tape, for they decide what the other side said next. Empty, or what went
// wrong first.
std::string Replay(const Tape& tape, Speaker live);

}  // namespace lwt::versions
