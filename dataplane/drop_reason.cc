#include "dataplane/drop_reason.h"

#include <array>

namespace lwt {
namespace {

struct Text {
  std::string_view name;
  std::string_view sentence;
};

constexpr std::array<Text, kDropReasonCount> kTexts = {{
#define LWT_DROP_TEXT(enumerator, name, sentence) {name, sentence},
    LWT_DROP_REASONS(LWT_DROP_TEXT)
#undef LWT_DROP_TEXT
}};

}  // namespace

std::string_view NameOf(DropReason reason) {
  return kTexts[static_cast<size_t>(reason)].name;
}

std::string_view SentenceOf(DropReason reason) {
  return kTexts[static_cast<size_t>(reason)].sentence;
}

}  // namespace lwt
