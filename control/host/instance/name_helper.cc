#include "control/host/instance/name_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "control/handshake/bytes.h"

namespace lwt::host {
namespace {

using handshake::ByteReader;
using handshake::ByteSpan;
using handshake::ByteVector;
using handshake::ByteWriter;
using handshake::DnsMessage;

enum class NameOrder : uint8_t { kBegin = 1, kSet = 2 };

constexpr size_t kMaxNote = 4096;  // PATH_MAX
constexpr size_t kMaxRecord = 8192;

// What the helper has to say of one order.
ByteVector AnswerOf(const HostNames::Outcome& outcome) {
  ByteWriter out;
  return out.U8(static_cast<uint8_t>(outcome.how)).Append(outcome.text).Take();
}

struct BeginOrder {
  std::string device;
  std::string note;
};

std::optional<BeginOrder> ParseBegin(ByteReader reader) {
  ByteSpan device;
  ByteSpan note;
  if (!reader.Vector8(&device) || !reader.Vector16(&note) || !reader.empty() ||
      note.empty() || note.size() > kMaxNote || note.front() != '/') {
    return std::nullopt;
  }
  BeginOrder order{.device = {device.begin(), device.end()},
                   .note = {note.begin(), note.end()}};
  const bool whole = order.note.find('\0') == std::string::npos;
  if (!IsNamesDevice(order.device) || !whole) return std::nullopt;
  return order;
}

// What a record of the gateway asks for; nullopt ends the helper.
std::optional<HostNames::Outcome> Follow(ByteSpan record,
                                         std::optional<HostNames>& names,
                                         const HostNames::Places& places) {
  ByteReader reader(record);
  uint8_t kind = 0;
  if (!reader.U8(&kind)) return std::nullopt;
  if (kind == static_cast<uint8_t>(NameOrder::kBegin)) {
    const std::optional<BeginOrder> order = ParseBegin(reader);
    if (!order || names) return std::nullopt;
    names.emplace(order->device, order->note, places);
    return HostNames::Outcome{
        .text = HostNames::TakeBackNoted(order->note, places)};
  }
  const auto wanted = DnsMessage::Parse(reader.rest());
  if (kind != static_cast<uint8_t>(NameOrder::kSet) || !names || !wanted) {
    return std::nullopt;
  }
  return names->Set(*wanted);
}

// Nobody but the gateway ends it: who stops a service asks all its processes
// to end, and who is at a terminal all those of a command.
void OutliveSignals() {
  setsid();
  for (const int number :
       {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2}) {
    signal(number, SIG_IGN);
  }
  // It waits for its children.
  signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

int RunNameHelper(int fd, const HostNames::Places& places) {
  constexpr int kExitUsage = 2;
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      type != SOCK_SEQPACKET) {
    return kExitUsage;
  }
  OutliveSignals();
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::optional<HostNames> names;
  std::array<uint8_t, kMaxRecord> record;
  for (;;) {
    const ssize_t got = recv(fd, record.data(), record.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const auto outcome =
        Follow(ByteSpan(record).first(static_cast<size_t>(got)), names, places);
    if (!outcome) break;
    const ByteVector answer = AnswerOf(*outcome);
    send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  names.reset();
  return 0;
}

std::unique_ptr<NameHelper> NameHelper::Start() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return nullptr;
  }
  ScopedFd ours(ends[0]);
  const ScopedFd theirs(ends[1]);
  const pid_t child = fork();
  if (child < 0) return nullptr;
  if (child == 0) {
    // The descriptor of the same number stays closed behind execve(2).
    if (theirs.get() == kNameHelperFd) {
      fcntl(kNameHelperFd, F_SETFD, 0);
    } else {
      dup2(theirs.get(), kNameHelperFd);
    }
    execl("/proc/self/exe", "lightweight-tunnel", kNameHelperWord, nullptr);
    _exit(1);
  }
  return std::make_unique<NameHelper>(std::move(ours));
}

bool NameHelper::Send(std::span<const uint8_t> record) {
  if (gone_) return false;
  const ssize_t sent = send(socket_->get(), record.data(), record.size(),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(record.size())) gone_ = true;
  return !gone_;
}

bool NameHelper::Begin(const std::string& device, const std::string& note) {
  ByteWriter out;
  out.U8(static_cast<uint8_t>(NameOrder::kBegin));
  out.U8(static_cast<uint8_t>(device.size())).Append(device);
  out.U16(static_cast<uint16_t>(note.size())).Append(note);
  return Send(out.view());
}

bool NameHelper::Set(const DnsMessage& names) {
  ByteWriter out;
  out.U8(static_cast<uint8_t>(NameOrder::kSet)).Append(names.Build());
  return Send(out.view());
}

std::optional<HostNames::Outcome> NameHelper::Read() {
  if (gone_) return std::nullopt;
  std::array<uint8_t, kMaxRecord> record;
  const ssize_t got =
      recv(socket_->get(), record.data(), record.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (got <= 0 || record[0] > static_cast<uint8_t>(HostNames::How::kFailed)) {
    gone_ = true;
    return std::nullopt;
  }
  const ByteSpan text =
      ByteSpan(record).subspan(1, static_cast<size_t>(got) - 1);
  return HostNames::Outcome{.how = static_cast<HostNames::How>(record[0]),
                            .text = handshake::PrintableText(text)};
}

void NameHelper::End() {
  if (!socket_) return;
  shutdown(socket_->get(), SHUT_WR);
  // Each answer that is left, and then the end, which wakes poll(2) as well.
  pollfd end{socket_->get(), POLLIN, 0};
  std::array<uint8_t, kMaxRecord> record;
  while (poll(&end, 1, kEndMs) > 0) {
    if (recv(socket_->get(), record.data(), record.size(), MSG_DONTWAIT) <= 0) {
      break;
    }
  }
  gone_ = true;
  socket_.reset();
}

}  // namespace lwt::host
