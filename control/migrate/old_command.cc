#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "control/base/text.h"
#include "control/config/values.h"
#include "control/migrate/old_settings.h"

namespace lwt::migrate {
namespace {

using config::Concat;
using config::Invalid;
using config::Quoted;

// The words of a command as a shell parts them: quotes of both kinds and
// backslashes (POSIX.1-2017, Shell Command Language, 2.2), no expansion.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<std::string>> All() {
    std::vector<std::string> words;
    while (SkipSpace()) {
      absl::StatusOr<std::string> word = Next();
      if (!word.ok()) return word.status();
      words.push_back(*std::move(word));
    }
    return words;
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n'; }

  // A line that goes on begins no word by itself.
  bool SkipSpace() {
    constexpr std::string_view kGoesOn = "\\\n";
    while (at_ < text_.size()) {
      if (IsSpace(text_[at_])) {
        ++at_;
      } else if (text_.substr(at_).starts_with(kGoesOn)) {
        at_ += kGoesOn.size();
      } else {
        return true;
      }
    }
    return false;
  }

  absl::StatusOr<std::string> Next() {
    std::string word;
    char quote = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (quote == 0 && IsSpace(c)) return word;
      if (quote == c) {
        quote = 0;
      } else if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == '\\' && quote != '\'' && at_ + 1 < text_.size()) {
        TakeEscaped(text_[++at_], quote, word);
      } else {
        word += c;
      }
    }
    if (quote != 0) {
      return Invalid("a quote is not closed: ", std::string(1, quote));
    }
    return word;
  }

  static void TakeEscaped(char c, char quote, std::string& word) {
    if (c == '\n') return;
    const bool means_itself =
        quote == 0 || c == '"' || c == '\\' || c == '$' || c == '`';
    if (!means_itself) word += '\\';
    word += c;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

// The forms of Go's flag package for a boolean and a number.
absl::StatusOr<OldValue> ReadFlag(const OldKey& old, const std::string& text) {
  OldValue value{text, {}};
  bool boolean = false;
  int64_t number = 0;
  switch (old.type) {
    case OldType::kText:
      return value;
    case OldType::kBoolean:
      if (!absl::SimpleAtob(text, &boolean)) break;
      value.text = boolean ? "true" : "false";
      return value;
    case OldType::kNumber:
      if (!absl::SimpleAtoi(text, &number)) break;
      value.text = Concat(number);
      return value;
    case OldType::kList:
      value.list = absl::StrSplit(text, ',', absl::SkipWhitespace());
      return value;
  }
  return Invalid("-", old.flag, " cannot be ", Quoted(text));
}

}  // namespace

absl::StatusOr<OldSettings> ReadOldCommand(std::string_view command) {
  absl::StatusOr<std::vector<std::string>> words = Words(command).All();
  if (!words.ok()) return words.status();
  OldSettings settings;
  size_t at = 0;
  // sudo, the program.
  while (at < words->size() && !(*words)[at].starts_with('-')) ++at;
  for (; at < words->size(); ++at) {
    std::string_view word = (*words)[at];
    if (word.size() < 2 || word[0] != '-') {
      return Invalid(Quoted(word), " is no flag");
    }
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    const size_t equals = word.find('=');
    const std::string_view flag = word.substr(0, equals);
    const OldKey* old = FindOldFlag(flag);
    const bool boolean = old != nullptr && old->type == OldType::kBoolean;
    std::string text;
    if (equals != std::string_view::npos) {
      text = std::string(word.substr(equals + 1));
    } else if (boolean) {
      text = "true";
    } else if (flag != "v" && at + 1 < words->size()) {
      text = (*words)[++at];
    } else {
      return Invalid("-", flag, " stands without a value");
    }
    if (flag == "c") {
      return Invalid("with -c all other flags were passed over: -import ",
                     "FILE reads that file, ", Quoted(text));
    }
    if (old == nullptr) return Invalid("that program had no flag -", flag);
    absl::StatusOr<OldValue> value = ReadFlag(*old, text);
    if (!value.ok()) return value.status();
    settings.known[std::string(old->key)] = *std::move(value);
  }
  return settings;
}

}  // namespace lwt::migrate
