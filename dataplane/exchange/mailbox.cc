#include "dataplane/exchange/mailbox.h"

#include <rte_malloc.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "drivers/check.h"

namespace lwt {
namespace {

constexpr unsigned kCommandSlots = 1024;
constexpr unsigned kEventSlots = 4096;
// Bytes on their way to control: sixteen merged segments of unproven flows or
// 700 single ones, and some hundred control messages.
constexpr size_t kStreamBytes = 1 << 20;
constexpr size_t kRecordBytes = 256 << 10;
// The worker is the only reader of snapshots of its mailbox.
constexpr unsigned kReader = 0;

}  // namespace

Mailbox::Mailbox() : streams_(kStreamBytes), records_(kRecordBytes) {}

std::unique_ptr<Mailbox> Mailbox::Create(const std::string& name) {
  std::unique_ptr<Mailbox> box(new Mailbox);
  box->commands_ = {name + "-cmd", kCommandSlots};
  // More than can be under way, as it is emptied with every command that is
  // sent: handing back never fails.
  box->done_ = {name + "-done", 2 * kCommandSlots};
  box->events_ = {name + "-event", kEventSlots};
  box->event_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  box->qsbr_ = static_cast<rte_rcu_qsbr*>(
      rte_zmalloc(nullptr, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE));
  if (!box->commands_.valid() || !box->done_.valid() || !box->events_.valid() ||
      !box->qsbr_ || box->event_fd_ < 0) {
    return nullptr;
  }
  rte_rcu_qsbr_init(box->qsbr_, 1);
  rte_rcu_qsbr_thread_register(box->qsbr_, kReader);
  return box;
}

Mailbox::~Mailbox() {
  if (commands_.valid()) {
    Command* command;
    while (commands_.Take(command)) delete command;
  }
  if (done_.valid()) FreeDone();
  rte_free(qsbr_);
  if (event_fd_ >= 0) close(event_fd_);
}

void Mailbox::Send(Command command) {
  waiting_.push_back(std::make_unique<Command>(std::move(command)));
  ++sent_;
  SendWaiting();
}

void Mailbox::Collect() {
  FreeDone();
  SendWaiting();
  FreeRetired();
}

void Mailbox::FreeDone() {
  Command* command;
  while (done_.Take(command)) {
    delete command;
    ++carried_out_;
  }
}

void Mailbox::SendWaiting() {
  auto next = waiting_.begin();
  while (next != waiting_.end() && commands_.Put(next->get())) {
    static_cast<void>((next++)->release());
    FreeDone();
  }
  if (next == waiting_.begin()) return;
  waiting_.erase(waiting_.begin(), next);
  WakeWorker();
}

void Mailbox::WakeWorker() {
  // The fence orders the ring's write before the look at `parked`, against
  // Park, which orders them the other way round.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  RxWait* wait = worker_wait_.load(std::memory_order_acquire);
  if (wait != nullptr && worker_parked_.load(std::memory_order_relaxed)) {
    wait->Kick();
  }
}

void Mailbox::Publish(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_.store(snapshot.get(), std::memory_order_release);
  Retire(std::move(current_));
  current_ = std::move(snapshot);
  FreeRetired();
}

void Mailbox::PublishLan(std::shared_ptr<const LanTable> lan) {
  lan_.store(lan.get(), std::memory_order_release);
  Retire(std::move(current_lan_));
  current_lan_ = std::move(lan);
  FreeRetired();
}

void Mailbox::Retire(std::shared_ptr<const void> picture) {
  if (picture == nullptr) return;
  retired_.push_back({std::move(picture), rte_rcu_qsbr_start(qsbr_)});
}

void Mailbox::FreeRetired() {
  std::erase_if(retired_, [this](const Retired& retired) {
    return rte_rcu_qsbr_check(qsbr_, retired.token, /*wait=*/false) == 1;
  });
}

bool Mailbox::PollEvent(Event& event) { return events_.Take(event); }

bool Mailbox::PollStream(PuntedStream& stream) {
  StreamHeader header;
  if (!streams_.Take(header, stream.bytes)) return false;
  stream.flow = header.flow;
  stream.stream_offset = header.stream_offset;
  return true;
}

bool Mailbox::PollRecord(PuntedRecord& record) {
  RecordHeader header;
  if (!records_.Take(header, record.bytes)) return false;
  record.lane = header.lane;
  record.kind = static_cast<uint8_t>(header.kind);
  return true;
}

bool Mailbox::PrepareSleep() {
  control_parked_.store(true, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool empty = events_.empty() && streams_.empty() && records_.empty() &&
                     waiting_.empty();
  if (!empty) control_parked_.store(false, std::memory_order_relaxed);
  return empty;
}

void Mailbox::AfterSleep() {
  control_parked_.store(false, std::memory_order_relaxed);
  uint64_t count;
  while (read(event_fd_, &count, sizeof(count)) > 0) {
  }
}

void Mailbox::AttachWorker(RxWait* wait) {
  worker_wait_.store(wait, std::memory_order_release);
  if (wait != nullptr) {
    rte_rcu_qsbr_thread_online(qsbr_, kReader);
  } else {
    rte_rcu_qsbr_thread_offline(qsbr_, kReader);
  }
}

Command* Mailbox::NextCommand() {
  Command* command = nullptr;
  return commands_.Take(command) ? command : nullptr;
}

void Mailbox::Done(Command* command) {
  [[maybe_unused]] const bool handed_back = done_.Put(command);
  LWT_ASSERT(handed_back);
}

bool Mailbox::Report(const Event& event) {
  queued_for_control_ = true;
  return events_.Put(event);
}

bool Mailbox::PuntStream(FlowId flow, uint64_t stream_offset,
                         std::span<const uint8_t> bytes) {
  queued_for_control_ = true;
  return streams_.Put({flow, stream_offset}, bytes);
}

bool Mailbox::PuntRecord(LaneIndex lane, uint8_t kind,
                         std::span<const uint8_t> bytes) {
  queued_for_control_ = true;
  return records_.Put({lane, kind}, bytes);
}

void Mailbox::KickControl() {
  if (!queued_for_control_) return;
  queued_for_control_ = false;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!control_parked_.exchange(false, std::memory_order_seq_cst)) return;
  const uint64_t one = 1;
  // Fails only when the counter is full, and then control is awake anyway.
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof(one));
}

void Mailbox::Park() {
  worker_parked_.store(true, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  rte_rcu_qsbr_thread_offline(qsbr_, kReader);
}

void Mailbox::Unpark() {
  rte_rcu_qsbr_thread_online(qsbr_, kReader);
  worker_parked_.store(false, std::memory_order_relaxed);
}

bool Mailbox::HasCommands() const { return !commands_.empty(); }

void Mailbox::ReportQuiescent() { rte_rcu_qsbr_quiescent(qsbr_, kReader); }

}  // namespace lwt
