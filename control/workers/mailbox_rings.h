// The rings of a worker's mailbox, as an inbox reads them.
//
// Control thread.
#pragma once

#include "control/workers/worker_inbox.h"
#include "dataplane/exchange/mailbox.h"

namespace lwt::peer {

class MailboxRings final : public WorkerInbox::Source {
 public:
  // `mailbox` outlives it.
  explicit MailboxRings(Mailbox& mailbox) : mailbox_(mailbox) {}

  bool PollEvent(Event& event) override { return mailbox_.PollEvent(event); }
  bool PollStream(PuntedStream& stream) override {
    return mailbox_.PollStream(stream);
  }
  bool PollRecord(PuntedRecord& record) override {
    return mailbox_.PollRecord(record);
  }

 private:
  Mailbox& mailbox_;
};

}  // namespace lwt::peer
