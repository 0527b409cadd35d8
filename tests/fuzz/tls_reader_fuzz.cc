// The TLS record reader and the parsers of both hellos.
#include <algorithm>

#include "control/handshake/tls_shape.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lwt::handshake;
  const ByteSpan input(data, size);
  ParseClientHello(input);
  ParseServerHello(input);
  if (size < 1) return 0;
  // The first byte is the size of the pieces that the stream comes in.
  const size_t step = size_t{data[0]} + 1;
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
  if (returned > total) __builtin_trap();
  return 0;
}
