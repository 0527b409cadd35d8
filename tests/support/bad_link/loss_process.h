// Which frames a bad link loses: independently, or in bursts by the model of
// Gilbert and Elliott: a good state that loses nothing, a bad one that loses
// everything. The same for the same seed, on every library.
#pragma once

#include <cstdint>
#include <random>

namespace lwt::bad_link {

class LossProcess {
 public:
  // `loss` is the mean, 0 … 1; `burst` the mean length of a run of lost
  // frames, 0 for independent losses.
  LossProcess(double loss, double burst) : loss_(loss), burst_(burst) {}

  // The next frame is lost.
  bool Next(std::mt19937_64& random) {
    if (loss_ <= 0) return false;
    if (burst_ <= 0) return Draw(random) < loss_;
    const double leave = 1 / burst_;
    const double enter = loss_ * leave / (1 - loss_);
    bad_ = Draw(random) < (bad_ ? 1 - leave : enter);
    return bad_;
  }

  // 53 random bits as a fraction.
  static double Draw(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
  }

 private:
  double loss_;
  double burst_;
  bool bad_ = false;
};

}  // namespace lwt::bad_link
