// The only road between control and one worker: commands in, events and bytes
// out, and the snapshot (docs/architecture.md, rule 2).
//
// Rings are single-producer, single-consumer and of fixed size. Control's half
// is used by the control thread, the worker's half by its worker.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/exchange/command.h"
#include "dataplane/exchange/event.h"
#include "dataplane/exchange/message_ring.h"
#include "dataplane/exchange/snapshot.h"
#include "dataplane/exchange/spsc_ring.h"
#include "dataplane/names.h"
#include "dataplane/route/lan_table.h"
#include "drivers/rx_wait.h"

namespace lwt {

class Mailbox {
 public:
  // `name` is unique in the process. Null when memory does not suffice.
  static std::unique_ptr<Mailbox> Create(const std::string& name);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  // ---- Control's half.

  // Queues a command and wakes a sleeping worker. Commands that find the ring
  // full wait here, in order, and go with the next Send or Collect.
  void Send(Command command);
  // Frees what the worker has done with, sends on what waits, and frees
  // snapshots that no worker can see any more. Call it once per control loop.
  void Collect();
  // Commands sent so far, and those of them that the worker has carried out,
  // as of the last Send or Collect.
  uint64_t sent() const { return sent_; }
  uint64_t carried_out() const { return carried_out_; }
  // Makes `snapshot`, which other workers may share, the one that the worker
  // loads at its next loop.
  void Publish(std::shared_ptr<const Snapshot> snapshot);
  // The same for the LAN, which changes at other times.
  void PublishLan(std::shared_ptr<const LanTable> lan);
  bool PollEvent(Event& event);
  bool PollStream(PuntedStream& stream);
  bool PollRecord(PuntedRecord& record);
  // Readable when an event or bytes may be waiting. Call PrepareSleep before
  // epoll_wait: false means something is waiting already, do not sleep.
  int event_fd() const { return event_fd_; }
  bool PrepareSleep();
  void AfterSleep();

  // ---- Any thread.

  // Ends the worker's sleep. For who has written into a ring that the worker
  // looks at between Park and its wait.
  void WakeWorker();

  // ---- The worker's half.

  void AttachWorker(RxWait* wait);
  // The next command, or null. Hand it back with Done.
  Command* NextCommand();
  void Done(Command* command);
  const Snapshot* snapshot() const {
    return snapshot_.load(std::memory_order_acquire);
  }
  const LanTable* lan() const { return lan_.load(std::memory_order_acquire); }
  // False when the ring is full: the caller counts the drop.
  bool Report(const Event& event);
  [[nodiscard]] bool PuntStream(FlowId flow, uint64_t stream_offset,
                                std::span<const uint8_t> bytes);
  [[nodiscard]] bool PuntRecord(LaneIndex lane, uint8_t kind,
                                std::span<const uint8_t> bytes);
  // Wakes control if it sleeps and anything was queued since the last call.
  void KickControl();
  // Sleeping worker: parked is set before the last check of the rings.
  void Park();
  void Unpark();
  bool HasCommands() const;
  void ReportQuiescent();

 private:
  struct StreamHeader {
    FlowId flow;
    uint64_t stream_offset = 0;
  };
  struct RecordHeader {
    LaneIndex lane;
    uint32_t kind = 0;
  };

  Mailbox();
  void FreeDone();
  void SendWaiting();
  void Retire(std::shared_ptr<const void> picture);
  void FreeRetired();

  struct Retired {
    std::shared_ptr<const void> picture;
    uint64_t token = 0;
  };

  SpscRing<Command*> commands_;
  SpscRing<Command*> done_;
  SpscRing<Event> events_;
  MessageRing<StreamHeader> streams_;
  MessageRing<RecordHeader> records_;
  rte_rcu_qsbr* qsbr_ = nullptr;
  int event_fd_ = -1;

  // Control only.
  std::vector<std::unique_ptr<Command>> waiting_;
  uint64_t sent_ = 0;
  uint64_t carried_out_ = 0;
  std::shared_ptr<const Snapshot> current_;
  std::shared_ptr<const LanTable> current_lan_;
  std::vector<Retired> retired_;

  std::atomic<const Snapshot*> snapshot_{nullptr};
  std::atomic<const LanTable*> lan_{nullptr};
  std::atomic<RxWait*> worker_wait_{nullptr};
  std::atomic<bool> worker_parked_{false};
  std::atomic<bool> control_parked_{false};
  bool queued_for_control_ = false;  // worker only
};

}  // namespace lwt
