// No memory that was taken from the system holds a lane's key when lane and
// session are gone. The stack is not looked at: what registers leave in frames
// that have ended is the compiler's, and is overwritten by the next calls.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

constexpr size_t kTracedKey = 32;
// Half of a key is enough to tell it.
constexpr size_t kPart = 16;

// A key, kept so that this is none of its traces.
class HiddenKey {
 public:
  explicit HiddenKey(std::span<const uint8_t, kTracedKey> key) {
    for (size_t i = 0; i < kTracedKey; ++i) {
      hidden_[i] = static_cast<uint8_t>(~key[i]);
    }
  }
  bool IsAt(const volatile uint8_t* place, size_t part) const {
    for (size_t i = 0; i < kPart; ++i) {
      if (static_cast<uint8_t>(~place[i]) != hidden_[part + i]) return false;
    }
    return true;
  }

 private:
  volatile uint8_t hidden_[kTracedKey];
};

size_t CountIn(const HiddenKey& key, uint64_t begin, uint64_t end) {
  size_t count = 0;
  for (uint64_t at = begin; at + kPart <= end; ++at) {
    const auto* place = reinterpret_cast<const volatile uint8_t*>(at);
    for (const size_t part : {size_t{0}, kPart}) {
      count += key.IsAt(place, part);
    }
  }
  return count;
}

// Halves of the key in all memory that the process may read and write.
size_t Traces(const HiddenKey& key) {
  struct Mapping {
    uint64_t begin;
    uint64_t end;
  };
  std::vector<Mapping> mappings;
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  std::array<char, 512> line;
  while (std::fgets(line.data(), line.size(), maps) != nullptr) {
    Mapping mapping{};
    char access[5] = "";
    if (std::sscanf(line.data(), "%lx-%lx %4s", &mapping.begin, &mapping.end,
                    access) != 3 ||
        access[0] != 'r' || access[1] != 'w') {
      continue;
    }
    if (std::strstr(line.data(), "[stack]") != nullptr) continue;
    mappings.push_back(mapping);
  }
  std::fclose(maps);
  size_t count = 0;
  for (const Mapping& mapping : mappings) {
    count += CountIn(key, mapping.begin, mapping.end);
  }
  return count;
}

TEST(KeyTracesTest, OfALaneNothingIsLeft) {
  loop::Log log{loop::LogLevel::kError};
  loop::RemoteLog remote_log(log);
  FakeNet net;
  FakeHost host(net, At("192.0.2.1:1").address);
  auto link = std::make_unique<RecordingLink>();
  auto road = std::make_unique<WorkerRoad>(*link, host, 4, 1);
  FlowOwner owner;
  handshake::SessionSecrets secrets;
  secrets.roots = {TestPsk(3), TestPsk(4)};
  const MessageTable messages = CommonMessages();
  auto session = std::make_unique<Session>(
      Session::Context{*road, host, remote_log,
                       handshake::RekeyRole::kResponder,
                       handshake::RekeyConfig{}, messages},
      owner, PeerIndex{0}, "client", std::move(secrets), 0);
  SessionLane lane;
  lane.flow = FlowId::Of(7, 3);
  ASSERT_TRUE(session->InstallLane(lane, 0, 0, 0));

  std::vector<std::unique_ptr<HiddenKey>> keys;
  for (const Command& command : link->commands) {
    const auto* install = std::get_if<InstallLaneCommand>(&command);
    if (install == nullptr) continue;
    for (const std::span<const uint8_t, kTracedKey> key :
         {install->send.key.bytes(), install->receive.key.bytes(),
          install->send_mask.bytes(), install->receive_mask.bytes()}) {
      keys.push_back(std::make_unique<HiddenKey>(key));
    }
  }
  ASSERT_EQ(keys.size(), 4u);
  // They are seen where they are.
  for (const auto& key : keys) EXPECT_GE(Traces(*key), 2u);
  session.reset();
  road.reset();
  link.reset();
  for (const auto& key : keys) EXPECT_EQ(Traces(*key), 0u);
}

}  // namespace
}  // namespace lwt::peer
