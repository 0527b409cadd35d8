// Assertions. What is wrong here is a fault of ours: the process ends with a
// line that says where, before it does something that nobody asked for.
//
//   LWT_ASSERT(condition)  in debug builds and those of the sanitizers; free in
//                          a release, where the condition is not evaluated. For
//                          the packet path.
//   LWT_CHECK(condition, text)  in every build. For what has to hold once a
//                          gateway has started; never per packet.
//
// Neither is for input: what a peer or an operator sends is refused with a
// reason.
#pragma once

namespace lwt::internal {

[[noreturn]] void CheckFailed(const char* what, const char* file, int line);

}  // namespace lwt::internal

#define LWT_CHECK(condition, text)                                            \
  ((condition) ? static_cast<void>(0)                                         \
               : ::lwt::internal::CheckFailed(#condition ": " text, __FILE__, \
                                              __LINE__))

#ifdef NDEBUG
#define LWT_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#else
#define LWT_ASSERT(condition)         \
  ((condition) ? static_cast<void>(0) \
               : ::lwt::internal::CheckFailed(#condition, __FILE__, __LINE__))
#endif
