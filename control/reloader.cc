#include "control/reloader.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "control/base/text.h"
#include "control/config/reload.h"
#include "control/handshake/psk.h"
#include "dataplane/clock.h"

namespace lwt {
namespace {

absl::Status Refused(absl::string_view why) {
  return absl::FailedPreconditionError(
      config::Concat("reload: ", absl::StrReplaceAll(why, {{"\n", "; "}}),
                     "; the old settings stay"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reloader>> Reloader::Create(
    const Context& context) {
  const int read_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (read_event < 0) {
    return absl::InternalError(
        config::Concat("cannot make an event descriptor: ", strerror(errno)));
  }
  std::unique_ptr<Reloader> reloader(new Reloader(context, read_event));
  Reloader* self = reloader.get();
  absl::Status status =
      context.loop.Watch(reloader->read_event_.get(), EPOLLIN,
                         [self](uint32_t) { self->OnRead(); });
  if (!status.ok()) return status;
  return reloader;
}

Reloader::~Reloader() {
  if (thread_.joinable()) thread_.join();
  context_.loop.Forget(read_event_.get());
}

void Reloader::Begin(Done done) {
  if (done) (reading_ ? waiting_ : asked_).push_back(std::move(done));
  if (std::exchange(reading_, true)) {
    again_ = true;
    return;
  }
  StartReading();
}

// The disk may be slow, and a key of words takes a third of a second.
void Reloader::StartReading() {
  context_.on_begin();
  thread_ = std::thread([this] {
    read_ = Read();
    const uint64_t one = 1;
    while (write(read_event_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
    }
  });
}

// On the thread: the settings in force are not changed meanwhile.
absl::StatusOr<Reloader::Reading> Reloader::Read() const {
  auto loaded = config::LoadConfigAgain(context_.command_line);
  if (!loaded.ok()) return loaded.status();
  Reading reading{
      .loaded = *std::move(loaded), .psk = std::nullopt, .source = {}};
  config::KeyConfig& key = reading.loaded.config.key;
  const config::KeyConfig& in_force = context_.config.key;
  if (key.text.empty() || in_force.encryption == config::Encryption::kNone) {
    return reading;
  }
  reading.source = rotation::SourceOf(reading.loaded.config,
                                      context_.command_line, state_dir_);
  absl::StatusOr<std::optional<SecretKey>> kept =
      rotation::PskInPlaceOf(key.text, state_dir_);
  if (!kept.ok()) return kept.status();
  if (*kept) {
    reading.psk = **std::move(kept);
    return reading;
  }
  auto psk = handshake::DerivePsk(key.text, in_force.network);
  if (!psk.ok()) return psk.status();
  if (auto weak = handshake::WeakKeyWarning(key.text)) {
    reading.loaded.warnings.push_back(*std::move(weak));
  }
  reading.psk = *std::move(psk);
  return reading;
}

void Reloader::OnRead() {
  uint64_t count = 0;
  if (read(read_event_.get(), &count, sizeof(count)) < 0) return;
  thread_.join();
  const absl::StatusOr<std::string> result = Take(std::move(read_));
  read_ = absl::UnavailableError("taken");  // its key is erased
  if (result.ok()) {
    for (absl::string_view line :
         absl::StrSplit(*result, '\n', absl::SkipEmpty())) {
      context_.log.Info("reload: ", line);
    }
  } else {
    context_.log.Error(result.status().message());
  }
  context_.on_end();
  const std::vector<Done> answered =
      std::exchange(asked_, std::exchange(waiting_, {}));
  reading_ = std::exchange(again_, false);
  if (reading_) StartReading();
  // Each may ask again.
  for (const Done& done : answered) done(result);
}

absl::StatusOr<std::string> Reloader::Take(absl::StatusOr<Reading> read) {
  if (!read.ok()) return Refused(read.status().message());
  config::Config& wanted = read->loaded.config;
  // The text in force was erased, so one that stays would be a change.
  const bool new_key = read->psk && !context_.keys.IsNewest(*read->psk);
  if (!new_key) wanted.key.Erase();
  absl::StatusOr<config::Reloaded> reloaded =
      config::Reload(started_, context_.config, wanted);
  wanted.key.Erase();
  if (!reloaded.ok()) return Refused(reloaded.status().message());
  reloaded->config.key.Erase();
  const absl::Status fit = context_.components.Check(reloaded->config);
  if (!fit.ok()) return Refused(fit.message());
  for (const std::string& warning : read->loaded.warnings) {
    context_.log.Warn("reload: ", warning);
  }
  context_.config = reloaded->config;
  context_.log.SetLevel(context_.config.host.log_level);
  const uint64_t now_us = MonotonicUs();
  if (new_key) context_.keys.Change(*read->psk, now_us);
  if (read->psk) {
    context_.background.Run(
        [source = context_.key_source, now = read->source] { *source = now; },
        [] {});
  }
  std::string text = config::Sentences(*reloaded);
  for (const absl::Status& error :
       context_.components.Apply(context_.config, now_us)) {
    text += config::Concat("not done: ", error.message(), "\n");
  }
  return text;
}

}  // namespace lwt
