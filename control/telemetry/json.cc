// The only translation unit that writes JSON.
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "control/base/printable.h"
#include "control/telemetry/printer.h"

namespace lwt::telemetry {
namespace {

class JsonPrinter final : public Printer {
 public:
  JsonPrinter() : writer_(buffer_) {}

  void Text(std::string_view key, std::string_view text) override {
    Key(key);
    String(text);
  }
  void Texts(std::string_view key,
             const std::vector<std::string>& texts) override {
    BeginList(key);
    for (const std::string& text : texts) String(text);
    EndList();
  }
  void Flag(std::string_view key, bool flag) override {
    Key(key);
    writer_.Bool(flag);
  }
  void Id(std::string_view key, uint64_t number) override {
    Key(key);
    writer_.Uint64(number);
  }
  void Number(std::string_view name, const Metric&, uint64_t value) override {
    Key(name);
    if (value == kNoValue) {
      writer_.Null();
    } else {
      writer_.Uint64(value);
    }
  }
  void BeginObject(std::string_view key) override {
    Key(key);
    writer_.StartObject();
  }
  void EndObject() override { writer_.EndObject(); }
  void BeginList(std::string_view key) override {
    Key(key);
    writer_.StartArray();
  }
  void EndList() override { writer_.EndArray(); }

  std::string Take() { return std::string(buffer_.GetString()) + "\n"; }

 private:
  void Key(std::string_view key) {
    if (key.empty()) return;
    writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  }
  void String(std::string_view text) {
    const std::string clean = api::Printable(text);
    writer_.String(clean.data(),
                   static_cast<rapidjson::SizeType>(clean.size()));
  }

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

}  // namespace

std::string ToJson(const Status& status) {
  JsonPrinter json;
  Print(status, json);
  return json.Take();
}

std::string PeersToJson(const Status& status) {
  JsonPrinter json;
  PrintPeers(status, json);
  return json.Take();
}

std::string RoutesToJson(const Status& status) {
  JsonPrinter json;
  PrintRoutes(status, json);
  return json.Take();
}

}  // namespace lwt::telemetry
