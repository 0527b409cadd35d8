// Makes the Field of a row of options.cc from the path to its member.
#pragma once

#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "control/config/networks.h"
#include "control/config/options.h"
#include "control/config/values.h"

namespace lwt::config {

// A member of a part of Config: In<&Config::tunnel, &TunnelConfig::mtu>.
template <auto... kPath>
struct In {
  template <typename AnyConfig>  // Config, or const Config
  static auto& Of(AnyConfig& config, size_t) {
    return (config.*....*kPath);
  }
};

// A member of each entry of a list in a part of Config:
// Each<&Config::hub, &HubConfig::peers, &PeerEntry::public_key>.
template <auto kPart, auto kEntries, auto kMember>
struct Each {
  template <typename AnyConfig>
  static auto& Of(AnyConfig& config, size_t entry) {
    return ((config.*kPart).*kEntries)[entry].*kMember;
  }
};

template <typename Where>
using TypeAt =
    std::remove_cvref_t<decltype(Where::Of(std::declval<Config&>(), 0))>;

template <typename Where>
void CopyAt(const Config& from, Config& to, size_t entry) {
  Where::Of(to, entry) = Where::Of(from, entry);
}

template <typename Where>
constexpr Field Boolean() {
  return {ValueType::kBoolean,
          [](const Value& value, Config& config, size_t entry) {
            Where::Of(config, entry) = value.boolean;
            return absl::OkStatus();
          },
          [](const Config& config, size_t entry) {
            return Value{.boolean = Where::Of(config, entry)};
          },
          CopyAt<Where>};
}

// The range in the table fits the member's type.
template <typename Where>
constexpr Field Integer() {
  return {
      ValueType::kInteger,
      [](const Value& value, Config& config, size_t entry) {
        Where::Of(config, entry) = static_cast<TypeAt<Where>>(value.integer);
        return absl::OkStatus();
      },
      [](const Config& config, size_t entry) {
        return Value{.integer = static_cast<int64_t>(Where::Of(config, entry))};
      },
      CopyAt<Where>};
}

// The choices stand in the order of the enumerators from `kFirst` on; one
// before it is unset.
template <typename Where, int kFirst = 0>
constexpr Field Choice() {
  return {
      ValueType::kChoice,
      [](const Value& value, Config& config, size_t entry) {
        Where::Of(config, entry) =
            static_cast<TypeAt<Where>>(value.integer + kFirst);
        return absl::OkStatus();
      },
      [](const Config& config, size_t entry) {
        return Value{.integer = static_cast<int64_t>(Where::Of(config, entry)) -
                                kFirst};
      },
      CopyAt<Where>};
}

// `kRead` makes a StatusOr of the member from text, or is a check of text that
// is kept as it is.
template <typename Where, auto kRead>
constexpr Field Text() {
  return {ValueType::kText,
          [](const Value& value, Config& config, size_t entry) {
            auto read = kRead(value.text);
            if constexpr (std::is_same_v<decltype(read), absl::Status>) {
              if (read.ok()) Where::Of(config, entry) = value.text;
              return read;
            } else {
              if (!read.ok()) return read.status();
              Where::Of(config, entry) = *std::move(read);
              return absl::OkStatus();
            }
          },
          [](const Config& config, size_t entry) {
            return Value{.text = ToText(Where::Of(config, entry))};
          },
          CopyAt<Where>};
}

// Bits a second.
template <typename Where>
constexpr Field Rate() {
  Field field = Text<Where, ReadBitRate>();
  field.type = ValueType::kRate;
  return field;
}

// A vector of what `kRead` makes of each element; `kCheck` sees the whole.
template <typename Where, auto kRead, auto kCheck>
constexpr Field List() {
  return {ValueType::kList,
          [](const Value& value, Config& config, size_t entry) {
            TypeAt<Where> items;
            for (const std::string& text : value.list) {
              auto item = kRead(text);
              if (!item.ok()) return item.status();
              items.push_back(*std::move(item));
            }
            absl::Status status = kCheck(items);
            if (status.ok()) Where::Of(config, entry) = std::move(items);
            return status;
          },
          [](const Config& config, size_t entry) {
            Value value;
            for (const auto& item : Where::Of(config, entry)) {
              value.list.push_back(ToText(item));
            }
            return value;
          },
          CopyAt<Where>,
          [](std::string_view item) { return kRead(item).status(); }};
}

}  // namespace lwt::config
