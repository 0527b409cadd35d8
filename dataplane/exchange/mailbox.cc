#include "dataplane/exchange/mailbox.h"

#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace lwt {
namespace {

constexpr unsigned kCommandSlots = 1024;
constexpr unsigned kEventSlots = 4096;
// Frames held by control at most; bounds what a flood of unproven segments can
// take from the pool.
constexpr unsigned kStreamSlots = 512;
constexpr unsigned kRecordSlots = 512;
constexpr unsigned kRingFlags = RING_F_SP_ENQ | RING_F_SC_DEQ;
// The worker is the only reader of snapshots of its mailbox.
constexpr unsigned kReader = 0;

rte_ring* MakeRing(const std::string& name, unsigned element, unsigned slots) {
  return rte_ring_create_elem(name.c_str(), element, slots, SOCKET_ID_ANY,
                              kRingFlags);
}

template <typename T>
bool Put(rte_ring* ring, const T& value) {
  return rte_ring_sp_enqueue_elem(ring, const_cast<T*>(&value), sizeof(T)) == 0;
}

template <typename T>
bool Take(rte_ring* ring, T& value) {
  return rte_ring_sc_dequeue_elem(ring, &value, sizeof(T)) == 0;
}

// As rte_ring_count, whose reads the thread sanitizer takes for a race.
unsigned CountOf(const rte_ring* ring) {
  const uint32_t end = __atomic_load_n(&ring->prod.tail, __ATOMIC_ACQUIRE);
  const uint32_t begin = __atomic_load_n(&ring->cons.tail, __ATOMIC_ACQUIRE);
  return (end - begin) & ring->mask;
}

}  // namespace

std::unique_ptr<Mailbox> Mailbox::Create(const std::string& name) {
  std::unique_ptr<Mailbox> box(new Mailbox);
  box->commands_ = MakeRing(name + "-cmd", sizeof(Command*), kCommandSlots);
  // More than can be under way, as it is emptied with every command that is
  // sent: handing back never fails.
  box->done_ = MakeRing(name + "-done", sizeof(Command*), 2 * kCommandSlots);
  box->events_ = MakeRing(name + "-event", sizeof(Event), kEventSlots);
  box->streams_ = MakeRing(name + "-str", sizeof(PuntedStream), kStreamSlots);
  box->records_ = MakeRing(name + "-rec", sizeof(PuntedRecord), kRecordSlots);
  box->event_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  box->qsbr_ = static_cast<rte_rcu_qsbr*>(
      rte_zmalloc(nullptr, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE));
  if (!box->commands_ || !box->done_ || !box->events_ || !box->streams_ ||
      !box->records_ || !box->qsbr_ || box->event_fd_ < 0) {
    return nullptr;
  }
  rte_rcu_qsbr_init(box->qsbr_, 1);
  rte_rcu_qsbr_thread_register(box->qsbr_, kReader);
  return box;
}

Mailbox::~Mailbox() {
  if (commands_ != nullptr) {
    Command* command;
    while (Take(commands_, command)) delete command;
  }
  if (done_ != nullptr) FreeDone();
  PuntedStream stream;
  while (streams_ != nullptr && Take(streams_, stream)) {
    rte_pktmbuf_free(stream.frame);
  }
  PuntedRecord record;
  while (records_ != nullptr && Take(records_, record)) {
    rte_pktmbuf_free(record.frame);
  }
  for (rte_ring* ring : {commands_, done_, events_, streams_, records_}) {
    rte_ring_free(ring);
  }
  rte_free(qsbr_);
  if (event_fd_ >= 0) close(event_fd_);
}

void Mailbox::Send(Command command) {
  waiting_.push_back(std::make_unique<Command>(std::move(command)));
  SendWaiting();
}

void Mailbox::Collect() {
  FreeDone();
  SendWaiting();
  FreeRetired();
}

void Mailbox::FreeDone() {
  Command* command;
  while (Take(done_, command)) delete command;
}

void Mailbox::SendWaiting() {
  auto next = waiting_.begin();
  while (next != waiting_.end() && Put(commands_, next->get())) {
    static_cast<void>((next++)->release());
    FreeDone();
  }
  if (next == waiting_.begin()) return;
  waiting_.erase(waiting_.begin(), next);
  // The fence orders the ring's write before the look at `parked`, against
  // Park, which orders them the other way round.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  RxWait* wait = worker_wait_.load(std::memory_order_acquire);
  if (wait != nullptr && worker_parked_.load(std::memory_order_relaxed)) {
    wait->Kick();
  }
}

void Mailbox::Publish(std::unique_ptr<const Snapshot> snapshot) {
  snapshot_.store(snapshot.get(), std::memory_order_release);
  if (current_) {
    retired_.push_back({std::move(current_), rte_rcu_qsbr_start(qsbr_)});
  }
  current_ = std::move(snapshot);
  FreeRetired();
}

void Mailbox::FreeRetired() {
  std::erase_if(retired_, [this](const Retired& retired) {
    return rte_rcu_qsbr_check(qsbr_, retired.token, /*wait=*/false) == 1;
  });
}

bool Mailbox::PollEvent(Event& event) { return Take(events_, event); }

bool Mailbox::PollStream(PuntedStream& stream) {
  return Take(streams_, stream);
}

bool Mailbox::PollRecord(PuntedRecord& record) {
  return Take(records_, record);
}

bool Mailbox::PrepareSleep() {
  control_parked_.store(true, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool empty = CountOf(events_) == 0 && CountOf(streams_) == 0 &&
                     CountOf(records_) == 0 && waiting_.empty();
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
  return Take(commands_, command) ? command : nullptr;
}

void Mailbox::Done(Command* command) { Put(done_, command); }

unsigned Mailbox::StreamRoom() const {
  return streams_->capacity - CountOf(streams_);
}

bool Mailbox::Report(const Event& event) {
  queued_for_control_ = true;
  return Put(events_, event);
}

bool Mailbox::Punt(const PuntedStream& stream) {
  queued_for_control_ = true;
  return Put(streams_, stream);
}

bool Mailbox::Punt(const PuntedRecord& record) {
  queued_for_control_ = true;
  return Put(records_, record);
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

bool Mailbox::HasCommands() const { return CountOf(commands_) != 0; }

void Mailbox::ReportQuiescent() { rte_rcu_qsbr_quiescent(qsbr_, kReader); }

}  // namespace lwt
