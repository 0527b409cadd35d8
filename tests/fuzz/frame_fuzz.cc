// Any bytes as a frame, into a table with some flows. The first byte chooses
// the link header, whether the checksum counts as seen, and whether ports and
// addresses are made to hit a flow.
#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/flow/outer_tcp.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace {

using lwt::OuterTcp;
using lwt::test::TcpRig;

OuterTcp::Config SmallConfig() {
  OuterTcp::Config config;
  config.max_proven_flows = 8;
  config.syn_backlog = 16;
  config.arena_bytes = 256 * 1024;
  config.pool = lwt::test::PacketPool();
  return config;
}

// One rig for all inputs: its state is what the inputs are thrown at, and it
// is opened again when they brought it down.
TcpRig& Rig() {
  static TcpRig* rig = nullptr;
  if (rig == nullptr || !rig->hub.tcp->IsOpen(rig->hub.flow) ||
      !rig->client.tcp->IsOpen(rig->client.flow)) {
    delete rig;
    rig = new TcpRig(SmallConfig(), SmallConfig(), {.delay_us = 100}, 1);
    if (!rig->Open() || !rig->Send(rig->hub, 1000)) __builtin_trap();
  }
  return *rig;
}

// Addresses, ports and numbers of the open flow, as far as the frame is long
// enough, so that what follows gets past the lookup.
void Aim(std::vector<uint8_t>& frame, const TcpRig& rig) {
  constexpr uint8_t kHead[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  constexpr uint8_t kPorts[] = {0x9c, 0x40, 0x23, 0x28};
  constexpr uint8_t kFrom[] = {192, 0, 2, 1, 192, 0, 2, 2};
  if (frame.size() < 54) return;
  std::memcpy(frame.data(), kHead, sizeof(kHead));
  std::memcpy(&frame[26], kFrom, sizeof(kFrom));
  std::memcpy(&frame[34], kPorts, sizeof(kPorts));
  const auto& [seq, ack] = rig.client_numbers;
  lwt::wire::StoreBe32(&frame[38], seq + (frame[38] & 0xfu) * 100u);
  lwt::wire::StoreBe32(&frame[42], ack - (frame[42] & 0xfu) * 100u);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr uint8_t kLinkSizes[] = {0, 14, 18, 14};
  const uint8_t choice = data[0];
  std::vector<uint8_t> frame(data + 1, data + size);
  TcpRig& rig = Rig();
  if ((choice & 8) != 0) Aim(frame, rig);
  lwt::wire::FrameView view;
  lwt::DropReason why;
  if (!lwt::wire::ParseFrame(frame, kLinkSizes[choice & 3], (choice & 4) != 0,
                             view, why)) {
    return 0;
  }
  rig.Inject(view);
  return 0;
}
