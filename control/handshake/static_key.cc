#include "control/handshake/static_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/base/files.h"
#include "drivers/scoped_fd.h"

namespace lwt::handshake {
namespace {

constexpr int kBase64 = sodium_base64_VARIANT_ORIGINAL;
constexpr size_t kTextSize = 44;
// Base64 of 32 bytes and a line feed, with room to notice more.
constexpr size_t kMaxFile = 64;

using KeyText = WipedBytes<kMaxFile>;

std::string SecretPath(const std::string& dir) { return dir + "/static.key"; }
std::string PinPath(const std::string& dir) { return dir + "/server.pub"; }

absl::Status FileError(std::string_view what, const std::string& path) {
  const int error = errno;
  return absl::ErrnoToStatus(
      error,
      absl::StrCat(absl::string_view(what.data(), what.size()), " ", path));
}

bool Decode(ByteSpan text, std::span<uint8_t, 32> key) {
  while (!text.empty() && text.back() == '\n') {
    text = text.first(text.size() - 1);
  }
  size_t size = 0;
  return text.size() == kTextSize &&
         sodium_base642bin(
             key.data(), key.size(), reinterpret_cast<const char*>(text.data()),
             text.size(), nullptr, &size, nullptr, kBase64) == 0 &&
         size == key.size();
}

// The text of a key and a line feed.
KeyText Encode(KeySpan key, size_t* size) {
  KeyText text;
  sodium_bin2base64(reinterpret_cast<char*>(text.data()), text.size(),
                    key.data(), key.size(), kBase64);
  text.data()[kTextSize] = '\n';
  *size = kTextSize + 1;
  return text;
}

absl::Status MakeDirectory(const std::string& dir) {
  for (size_t end = 1; end <= dir.size(); ++end) {
    if (end != dir.size() && dir[end] != '/') continue;
    const std::string part = dir.substr(0, end);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return FileError("cannot make the state directory", part);
    }
  }
  return absl::OkStatus();
}

// kNotFound when there is none.
absl::Status ReadKeyFile(const std::string& path, bool secret,
                         std::span<uint8_t, 32> key) {
  const absl::StatusOr<ScopedFd> file = host::OpenRegularFile(path);
  if (!file.ok()) return file.status();
  struct stat info;
  if (fstat(file->get(), &info) != 0) return FileError("cannot read", path);
  if (secret && (info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "%s holds this gateway's secret key, but its mode %04o lets others at "
        "it; fix it with: chmod 600 %s",
        path, info.st_mode & 07777, path));
  }
  KeyText text;
  const ssize_t size = read(file->get(), text.data(), text.size());
  if (size < 0) return FileError("cannot read", path);
  if (!Decode(text.bytes().first(static_cast<size_t>(size)), key)) {
    return absl::DataLossError(absl::StrCat(
        path,
        " does not hold a key of 44 characters of base64; restore it, or "
        "delete it to make a new one"));
  }
  return absl::OkStatus();
}

// Writes a file that is there whole or not at all; kAlreadyExists when another
// was there first.
absl::Status CreateKeyFile(const std::string& path, KeySpan key) {
  const std::string scratch = absl::StrCat(path, ".", getpid(), ".new");
  unlink(scratch.c_str());
  const ScopedFd file(
      open(scratch.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return FileError("cannot create", scratch);
  size_t size = 0;
  const KeyText text = Encode(key, &size);
  const bool written =
      write(file.get(), text.data(), size) == static_cast<ssize_t>(size) &&
      fsync(file.get()) == 0;
  absl::Status status;
  if (!written) {
    status = FileError("cannot write", scratch);
  } else if (link(scratch.c_str(), path.c_str()) != 0) {
    status = FileError("cannot create", path);
  }
  unlink(scratch.c_str());
  return status;
}

}  // namespace

StaticKey GenerateStaticKey() {
  StaticKey key;
  RandomBytes(key.secret.bytes());
  key.public_key = X25519Public(key.secret.bytes());
  return key;
}

std::string PublicKeyToText(const PublicKey& key) {
  size_t size = 0;
  const KeyText text = Encode(key, &size);
  return std::string(reinterpret_cast<const char*>(text.data()), kTextSize);
}

absl::StatusOr<PublicKey> PublicKeyFromText(std::string_view text) {
  PublicKey key;
  if (!Decode(AsBytes(text), key)) {
    return absl::InvalidArgumentError(
        "a public key is 44 characters of base64, as `lwtctl status` shows it");
  }
  return key;
}

absl::StatusOr<StaticKey> LoadOrCreateStaticKey(const std::string& state_dir) {
  if (absl::Status made = MakeDirectory(state_dir); !made.ok()) return made;
  const std::string path = SecretPath(state_dir);
  StaticKey key;
  absl::Status status = ReadKeyFile(path, /*secret=*/true, key.secret.bytes());
  if (absl::IsNotFound(status)) {
    status = CreateKeyFile(path, GenerateStaticKey().secret.bytes());
    // A second gateway that was faster is read, like our own.
    if (status.ok() || absl::IsAlreadyExists(status)) {
      status = ReadKeyFile(path, /*secret=*/true, key.secret.bytes());
    }
  }
  if (!status.ok()) return status;
  key.public_key = X25519Public(key.secret.bytes());
  return key;
}

absl::StatusOr<PublicKey> OwnPublicKey(const std::string& state_dir) {
  SecretKey secret;
  const absl::Status read =
      ReadKeyFile(SecretPath(state_dir), /*secret=*/true, secret.bytes());
  if (!read.ok()) return read;
  return X25519Public(secret.bytes());
}

absl::StatusOr<std::optional<PublicKey>> ExpectedHubKey(
    const std::string& state_dir, std::string_view configured) {
  if (!configured.empty()) {
    absl::StatusOr<PublicKey> key = PublicKeyFromText(configured);
    if (!key.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("server_public_key: ", key.status().message()));
    }
    return *key;
  }
  PublicKey key;
  const absl::Status status =
      ReadKeyFile(PinPath(state_dir), /*secret=*/false, key);
  if (absl::IsNotFound(status)) return std::nullopt;
  if (!status.ok()) return status;
  return key;
}

absl::Status PinHubKey(const std::string& state_dir, const PublicKey& key) {
  if (absl::Status made = MakeDirectory(state_dir); !made.ok()) return made;
  const absl::Status created = CreateKeyFile(PinPath(state_dir), key);
  if (!absl::IsAlreadyExists(created)) return created;
  PublicKey pinned;
  const absl::Status read =
      ReadKeyFile(PinPath(state_dir), /*secret=*/false, pinned);
  if (!read.ok()) return read;
  if (pinned == key) return absl::OkStatus();
  return HubKeyChangedError(state_dir, PinnedBy::kFirstContact, key);
}

absl::Status HubKeyChangedError(const std::string& state_dir,
                                PinnedBy pinned_by, const PublicKey& seen) {
  std::string remedy;
  switch (pinned_by) {
    case PinnedBy::kFirstContact:
      remedy = absl::StrCat("delete ", PinPath(state_dir));
      break;
    case PinnedBy::kSetting:
      remedy = "change server_public_key";
      break;
    case PinnedBy::kEntry:
      remedy = "change public_key of its entry [[hub]]";
      break;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the hub's public key is ", PublicKeyToText(seen),
      ", not the one known here; somebody may be posing as it; if the hub was "
      "set up again, ",
      remedy));
}

}  // namespace lwt::handshake
