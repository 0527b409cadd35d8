// The least that sender and receiver can cost: the cryptography of the same
// records, and the parities of the same groups, by direct calls of IPsec-MB and
// ISA-L on buffers of its own. No framing, no numbers, no ports.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/fec/parameters.h"
#include "drivers/aead.h"
#include "drivers/reed_solomon.h"

namespace lwt::bench {

class Reference {
 public:
  struct Work {
    size_t records = 0;  // data records of a burst
    size_t size = 0;     // plaintext bytes of each
    fec::Parameters code;
    Aead::Code crypto = Aead::Code::kBest;
    ReedSolomon::Code fec_code = ReedSolomon::Code::kAvx2;
  };

  explicit Reference(const Work& work);
  ~Reference();
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  // A burst: each record is added to the parities of its group and sealed;
  // with the last of a group these are sealed.
  void Send();
  // Opens a burst of data records, and no parity.
  void Open();

 private:
  const uint8_t* NextIv() {
    ++iv_[0];
    return reinterpret_cast<const uint8_t*>(iv_.data());
  }
  void Seal(rte_mbuf* record);
  void AddToGroup(rte_mbuf* record);

  const Work work_;
  const Aead aead_;
  const ReedSolomon code_;
  AeadKey key_;
  std::array<uint32_t, 3> iv_{};
  std::vector<rte_mbuf*> records_;
  std::vector<rte_mbuf*> parities_;
  size_t in_group_ = 0;
  size_t wrong_ = 0;
};

}  // namespace lwt::bench
