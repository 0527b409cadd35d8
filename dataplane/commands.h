// Carrying out what control asks for, between two bursts.
#pragma once

namespace lwt {

class Worker;

// Runs all commands that wait; bounded by the ring's size.
void RunCommands(Worker& worker);

}  // namespace lwt
