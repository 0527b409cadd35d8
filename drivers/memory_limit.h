// How much memory the control groups of this process leave it: more than that
// ends it by a signal, without a word. For start-up.
#pragma once

#include <cstdint>
#include <string>

namespace lwt {

// The least that its group, or one above, allows, bytes, of version 1 as of 2;
// UINT64_MAX where none can be read. The arguments are mount points.
uint64_t ReadMemoryLimit(const std::string& proc_root,
                         const std::string& sys_root);

}  // namespace lwt
