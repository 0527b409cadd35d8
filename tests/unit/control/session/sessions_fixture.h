// A hub and as many clients as a test wants, joined in memory.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {

class SessionsTest : public testing::Test {
 protected:
  TestClient& AddClient(const char* address, uint8_t psk = 1,
                        uint64_t max_records = 1 << 20) {
    clients_.push_back(std::make_unique<TestClient>(net_, hub_.worker, log_,
                                                    address, psk, max_records));
    return *clients_.back();
  }
  std::vector<TestClient*> All() {
    std::vector<TestClient*> all;
    for (auto& client : clients_) all.push_back(client.get());
    return all;
  }
  template <typename Done>
  bool Until(uint64_t for_us, Done done) {
    return RunWorld(net_, hub_, All(), for_us, done);
  }
  void Run(uint64_t for_us) { RunFor(net_, hub_, All(), for_us); }
  // A packet every 100 ms from the client; true when one was received by the
  // hub within the time.
  bool TrafficWithin(TestClient& client, uint64_t for_us) {
    uint64_t before = hub_.worker.data_received;
    uint64_t next = net_.now_us;
    return Until(for_us, [&] {
      if (net_.now_us >= next) {
        next = net_.now_us + kSecond / 10;
        client.worker.SendData();
        net_.At(next, [] {});
      }
      return hub_.worker.data_received > before;
    });
  }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_};
  std::vector<std::unique_ptr<TestClient>> clients_;
};

inline PeerIndex PeerAt(const FakeWorker& worker, const char* text) {
  const IpAddress address = *ParseIpAddress(text);
  return worker.published->routes.Lookup(address.family, address.bytes.data());
}

inline uint16_t InnerMtuTo(const FakeWorker& worker, const char* text) {
  return worker.published->peers[PeerAt(worker, text).value].inner_mtu;
}

}  // namespace lwt::peer
