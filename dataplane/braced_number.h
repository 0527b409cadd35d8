// The number of a name that is a type of its own, such as LaneIndex. What takes
// it is made of a number in braces of its own, {3}, and of no bare one: a bare
// number would pass for the first member of whatever struct the name stands in
// (brace elision), and so for a name of any kind.
//
// It needs no more room and no more instructions than the number.
#pragma once

#include <concepts>

namespace lwt {

// Whatever value a Given has, a Whole can hold it.
template <typename Given, typename Whole>
concept FitsIn = std::unsigned_integral<Given> &&
                 sizeof(Given) <= sizeof(Whole);

template <std::unsigned_integral Whole>
class BracedNumber {
 public:
  template <FitsIn<Whole> Given>
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr BracedNumber(Given value) : value_(value) {}
  // A constant of another type, such as a literal, that fits.
  template <std::integral Constant>
  // NOLINTNEXTLINE(google-explicit-constructor)
  requires(!FitsIn<Constant, Whole>) consteval BracedNumber(Constant value)
      : value_(static_cast<Whole>(value)) {
    if (value < Constant{} || static_cast<Constant>(value_) != value) {
      __builtin_unreachable();  // so it does not compile
    }
  }

  constexpr Whole value() const { return value_; }

 private:
  Whole value_;
};

}  // namespace lwt
