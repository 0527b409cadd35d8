#include "control/nat/nat_watch.h"

#include <algorithm>
#include <utility>

#include "dataplane/clock.h"

namespace lwt::nat {

void NatWatch::SetWay(const std::optional<Way>& way, uint64_t now_us) {
  if (way == way_) return;
  way_ = way;
  verdict_.reset();
  Stop();
  next_us_ = way ? now_us : kNever;
}

uint64_t NatWatch::NextDeadline() const {
  return std::min(next_us_, detection_ ? detection_->NextDeadline() : kNever);
}

void NatWatch::OnTimer(uint64_t now_us) {
  if (now_us >= next_us_) Start(now_us);
  while (detection_) {
    const auto question = detection_->Next(now_us);
    if (!question) break;
    sockets_[question->socket].Send(way_->source, question->to,
                                    question->bytes);
  }
  if (detection_ && detection_->done()) Finish();
}

void NatWatch::Start(uint64_t now_us) {
  Stop();
  next_us_ = now_us + kEveryUs;
  if (keys_.keys().empty()) return;
  for (size_t i = 0; i < NatDetection::kSockets; ++i) {
    absl::StatusOr<UdpSocket> socket =
        UdpSocket::Bind({way_->source, 0}, way_->device);
    absl::Status status = socket.status();
    if (status.ok()) {
      status = loop_.Watch(socket->fd(), EPOLLIN,
                           [this, i](uint32_t) { OnReady(i); });
    }
    if (!status.ok()) {
      log_.Debug("the NAT cannot be asked about: ", status.message());
      return Stop();
    }
    sockets_.push_back(*std::move(socket));
  }
  detection_.emplace(
      NatDetection::Config{.server = way_->hub,
                           .local = {sockets_[0].local(), sockets_[1].local()},
                           .key = StunKeyOf(keys_.keys().front().psk)});
}

void NatWatch::Stop() {
  for (const UdpSocket& socket : sockets_) loop_.Forget(socket.fd());
  sockets_.clear();
  detection_.reset();
}

void NatWatch::OnReady(size_t socket) {
  // More, from whoever it is, wait for the next turn.
  constexpr int kAtOnce = 16;
  uint8_t buffer[kMostStunBytes + 1];
  for (int i = 0; i < kAtOnce; ++i) {
    const auto datagram = sockets_[socket].Receive(buffer);
    if (!datagram) return;
    detection_->OnDatagram(socket, datagram->source, datagram->bytes);
  }
}

void NatWatch::Finish() {
  verdict_ = detection_->verdict();
  Stop();
  std::string line = Describe(*verdict_);
  if (line == said_) return;
  said_ = std::move(line);
  log_.Info("NAT: ", said_);
}

}  // namespace lwt::nat
