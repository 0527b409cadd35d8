// The only translation unit that includes RapidJSON.
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <optional>

#include "control/api/printable.h"
#include "control/api/status.h"

namespace lwt::api {
namespace {

// Puts members into the object that is open.
class JsonWriter {
 public:
  JsonWriter() : writer_(buffer_) {}

  void Open() { writer_.StartObject(); }
  void Open(std::string_view key) {
    Key(key);
    writer_.StartObject();
  }
  void Close() { writer_.EndObject(); }

  void Put(std::string_view key, std::string_view text) {
    Key(key);
    Text(text);
  }
  void Put(std::string_view key, uint64_t number) {
    Key(key);
    writer_.Uint64(number);
  }
  void PutFlag(std::string_view key, bool flag) {
    Key(key);
    writer_.Bool(flag);
  }
  // null where there is no value yet.
  void Put(std::string_view key, const std::optional<uint64_t>& number) {
    if (number) {
      Put(key, *number);
    } else {
      Key(key);
      writer_.Null();
    }
  }
  void Put(std::string_view key, const std::vector<std::string>& texts) {
    Key(key);
    writer_.StartArray();
    for (const std::string& text : texts) Text(text);
    writer_.EndArray();
  }
  void Put(std::string_view key, const std::vector<NamedCount>& counts) {
    Open(key);
    for (const NamedCount& named : counts) Put(named.name, named.count);
    Close();
  }
  template <typename Item, typename PutItem>
  void PutObjects(std::string_view key, const std::vector<Item>& items,
                  PutItem put) {
    Key(key);
    writer_.StartArray();
    for (const Item& item : items) {
      Open();
      put(*this, item);
      Close();
    }
    writer_.EndArray();
  }

  std::string Take() { return std::string(buffer_.GetString()) + "\n"; }

 private:
  void Key(std::string_view key) {
    writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  }
  void Text(std::string_view text) {
    std::string clean = Printable(text);
    writer_.String(clean.data(),
                   static_cast<rapidjson::SizeType>(clean.size()));
  }

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

void PutLane(JsonWriter& json, const LaneStatus& lane) {
  json.Put("slot", uint64_t{lane.slot});
  json.Put("worker", uint64_t{lane.worker});
  json.Put("local", lane.local);
  json.Put("remote", lane.remote);
  json.PutFlag("sending", lane.sending);
  json.Put("srtt_us", lane.srtt_us);
  json.Put("rx_packets", lane.rx_packets);
  json.Put("tx_packets", lane.tx_packets);
  json.Put("retransmitted_segments", lane.retransmitted_segments);
  json.Put("fec_tx_data", lane.fec_tx_data);
  json.Put("fec_tx_parity", lane.fec_tx_parity);
}

void PutLan(JsonWriter& json, const LanStatus& lan) {
  json.Open("lan");
  json.Put("device", lan.device);
  json.Put("driver", lan.driver);
  json.Put("reason", lan.reason);
  json.PutFlag("up", lan.up);
  json.Put("addresses", lan.addresses);
  json.Put("neighbours", lan.neighbours);
  json.Close();
}

void PutPeer(JsonWriter& json, const PeerStatus& peer) {
  json.Put("tunnel_addresses", peer.tunnel_addresses);
  json.Put("public_key", peer.public_key);
  json.Put("endpoint", peer.endpoint);
  json.Put("state", peer.state);
  json.Put("path", peer.path);
  json.Put("reason", peer.reason);
  json.Put("rtt_us", peer.rtt_us);
  json.Put("last_handshake_s", peer.last_handshake_s);
  json.Put("rx_packets", peer.rx_packets);
  json.Put("rx_bytes", peer.rx_bytes);
  json.Put("tx_packets", peer.tx_packets);
  json.Put("tx_bytes", peer.tx_bytes);
  json.Put("mtu", uint64_t{peer.mtu});
  json.Put("lanes", uint64_t{peer.lanes});
  json.PutObjects("lane_list", peer.lane_list, PutLane);
  json.Put("epoch", uint64_t{peer.epoch});
  json.Put("rx_epochs", peer.rx_epochs);
  json.Put("tx_epochs", peer.tx_epochs);
  json.Put("records_sealed", peer.records_sealed);
  json.Put("records_opened", peer.records_opened);
  json.Put("records_lost", peer.records_lost);
  json.Put("retransmitted_segments", peer.retransmitted_segments);
  json.Put("fec", peer.fec);
}

void PutWorker(JsonWriter& json, const WorkerStatus& worker) {
  json.Put("cpus", worker.cpus);
  json.Put("busy_cycles", worker.busy_cycles);
  json.Put("idle_cycles", worker.idle_cycles);
  json.Put("sleeps", worker.sleeps);
  json.Put("rx_frames", worker.rx_frames);
  json.Put("tx_frames", worker.tx_frames);
  json.Put("tun_rx_packets", worker.tun_rx_packets);
  json.Put("tun_tx_packets", worker.tun_tx_packets);
}

void PutPool(JsonWriter& json, const PoolStatus& pool) {
  json.Put("name", pool.name);
  json.Put("buffers", pool.buffers);
  json.Put("in_use", pool.in_use);
}

void PutPorts(JsonWriter& json, const Status& status) {
  json.Open("uplink");
  json.Put("driver", status.uplink.driver);
  json.Put("device", status.uplink.device);
  json.Put("reason", status.uplink.reason);
  json.Put("link_mtu", uint64_t{status.uplink.link_mtu});
  json.PutFlag("up", status.uplink.up);
  json.PutFlag("super_frames", status.uplink.super_frames);
  json.Put("persona", status.uplink.persona);
  json.Close();
  json.Open("tunnel");
  json.Put("device", status.tunnel.device);
  json.Put("driver", status.tunnel.driver);
  json.Put("reason", status.tunnel.reason);
  json.Put("mtu", uint64_t{status.tunnel.mtu});
  json.Put("addresses", status.tunnel.addresses);
  json.Close();
  if (!status.lan.device.empty()) PutLan(json, status.lan);
}

}  // namespace

std::string ToJson(const Status& status) {
  JsonWriter json;
  json.Open();
  json.Put("version", status.version);
  json.Put("mode", status.mode);
  json.Put("uptime_s", status.uptime_s);
  json.Put("pid", uint64_t{status.pid});
  json.Put("encryption", status.encryption);
  json.Put("public_key", status.public_key);
  PutPorts(json, status);
  json.PutObjects("peers", status.peers, PutPeer);
  json.Put("banned", status.banned);
  json.PutObjects("workers", status.workers, PutWorker);
  json.Put("drops", status.drops);
  json.Put("counters", status.counters);
  json.Open("memory");
  json.Put("mode", status.memory_mode);
  json.PutObjects("pools", status.pools, PutPool);
  json.Close();
  json.Close();
  return json.Take();
}

}  // namespace lwt::api
