// The TLS record reader, the parsers of both hellos, and their builders, whose
// work the parsers have to read back.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "control/handshake/tls_shape.h"

namespace lwt::handshake {
namespace {

// The first byte is the size of the pieces that the stream comes in.
void ReadStream(ByteSpan input) {
  const size_t step = size_t{input[0]} + 1;
  ByteSpan stream = input.subspan(1);
  const size_t total = stream.size();
  size_t returned = 0;
  TlsReader reader;
  while (!stream.empty()) {
    const size_t piece = std::min(step, stream.size());
    reader.Feed(stream.first(piece));
    stream = stream.subspan(piece);
    TlsRecord record;
    while (reader.Next(&record) == TlsReader::Result::kRecord) {
      returned += kTlsHeaderSize + record.body.size();
      ParseClientHello(record.body);
      ParseServerHello(record.body);
    }
  }
  if (returned > total) std::abort();
}

void Expect(const HelloFields& fields, const std::optional<HelloFields>& read) {
  if (!read || read->random_and_session_id != fields.random_and_session_id ||
      read->key_share != fields.key_share) {
    std::abort();
  }
}

// The input is what our fields of a hello carry, and then a server name.
void BuildAndRead(ByteSpan input) {
  HelloFields fields;
  const size_t first = std::min(input.size(), size_t{64});
  std::copy_n(input.begin(), first, fields.random_and_session_id.begin());
  input = input.subspan(first);
  const size_t second = std::min(input.size(), size_t{32});
  std::copy_n(input.begin(), second, fields.key_share.begin());
  input = input.subspan(second);
  const std::string name(input.begin(), input.end());

  const ByteVector client = BuildClientHello(fields, name);
  if (client.empty() != (name.size() > 255)) std::abort();
  if (!client.empty()) {
    Expect(fields, ParseClientHello(ByteSpan(client).subspan(kTlsHeaderSize)));
  }
  const ByteVector server = BuildServerHello(fields);
  Expect(fields, ParseServerHello(ByteSpan(server).subspan(kTlsHeaderSize)));

  const ByteVector record = BuildRecord(TlsType::kApplicationData, server);
  TlsRecord again;
  size_t size = 0;
  if (TlsReader::Peek(record, &again, &size) != TlsReader::Result::kRecord ||
      size != record.size() || again.body.size() != server.size()) {
    std::abort();
  }
}

}  // namespace
}  // namespace lwt::handshake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::handshake;
  const ByteSpan input(data, size);
  ParseClientHello(input);
  ParseServerHello(input);
  if (size < 1) return 0;
  ReadStream(input);
  BuildAndRead(input);
  return 0;
}
