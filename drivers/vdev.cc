#include "drivers/vdev.h"

#include <absl/strings/str_cat.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include <atomic>
#include <cstdlib>
#include <utility>

namespace lwt {
namespace {

constexpr char kBus[] = "vdev";

// Makes names that no other device of the process has.
std::atomic<uint32_t> next_number = 0;

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

}  // namespace

Vdev::Vdev(std::string name, std::string what, uint16_t port_id)
    : name_(std::move(name)), what_(std::move(what)), port_id_(port_id) {}

Vdev::~Vdev() {
  if (started_) rte_eth_dev_stop(port_id_);
  rte_eth_dev_close(port_id_);
  rte_eal_hotplug_remove(kBus, name_.c_str());
}

absl::Status Vdev::Failure(int error, std::string_view step) const {
  return absl::ErrnoToStatus(std::abs(error),
                             absl::StrCat("cannot ", View(step), " ", what_));
}

absl::StatusOr<std::unique_ptr<Vdev>> Vdev::Plug(std::string_view driver,
                                                 std::string_view arguments,
                                                 std::string_view what) {
  std::string name = absl::StrCat(View(driver), next_number.fetch_add(1) + 1);
  const int error =
      rte_eal_hotplug_add(kBus, name.c_str(), std::string(arguments).c_str());
  if (error != 0) {
    return absl::ErrnoToStatus(std::abs(error),
                               absl::StrCat("cannot make ", View(what)));
  }
  uint16_t port_id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port_id) != 0) {
    rte_eal_hotplug_remove(kBus, name.c_str());
    return absl::InternalError(
        absl::StrCat("the driver made no port for ", View(what)));
  }
  return std::unique_ptr<Vdev>(
      new Vdev(std::move(name), std::string(what), port_id));
}

absl::Status Vdev::SetUpQueues(const Queues& queues) {
  rte_eth_conf config{};
  config.rxmode.mtu = queues.mtu;
  int error =
      rte_eth_dev_configure(port_id_, queues.count, queues.count, &config);
  if (error != 0) return Failure(error, "configure");
  for (uint16_t queue = 0; queue < queues.count; ++queue) {
    error = rte_eth_rx_queue_setup(port_id_, queue, queues.rx_descriptors,
                                   SOCKET_ID_ANY, nullptr, queues.pool);
    if (error != 0) return Failure(error, "set up a receive queue of");
    if (queues.on_receive_queue) queues.on_receive_queue();
  }
  for (uint16_t queue = 0; queue < queues.count; ++queue) {
    error = rte_eth_tx_queue_setup(port_id_, queue, queues.tx_descriptors,
                                   SOCKET_ID_ANY, nullptr);
    if (error != 0) return Failure(error, "set up a transmit queue of");
  }
  return absl::OkStatus();
}

absl::Status Vdev::Start() {
  const int error = rte_eth_dev_start(port_id_);
  if (error != 0) return Failure(error, "start");
  started_ = true;
  return absl::OkStatus();
}

}  // namespace lwt
