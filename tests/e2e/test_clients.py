"""Several clients on one hub, and who is refused."""

import stat

from harness.capture import Capture
from harness.gateway import client_arguments, server_arguments
from harness.traffic import transfer
from harness.variant import Variant
from harness.wait import wait_until


def _start_hub(start, topology, variant, *flags):
    hub = start(topology.hub.namespace,
                [*server_arguments("10.0.0.1/24", variant), *flags], "hub")
    hub.wait_up(peers=0)
    variant.assert_ran(hub)
    return hub


def _start_client(start, topology, variant, number, tunnel=None, **options):
    host = topology.clients[number]
    return start(host.namespace,
                 client_arguments(topology.hub.v4, tunnel or
                                  f"10.0.0.{2 + number}/24", variant,
                                  **options), f"client{number}")


def test_three_clients_reach_each_other(make_topology, start, variant):
    topology = make_topology(clients=3)
    hub = _start_hub(start, topology, variant)
    clients = [_start_client(start, topology, variant, i) for i in range(3)]
    for client in clients:
        client.wait_up()
    hub.wait_up(peers=3)
    for side in (hub, *clients):
        variant.assert_ran(side)
    forwarded = hub.counters()["forwarded_packets"]
    device = hub.status()["workers"][0]["tun_tx_packets"]
    for i, source in enumerate(topology.clients):
        for j in range(3):
            if i != j:
                assert source.namespace.ping(f"10.0.0.{2 + j}") == 3
    # 18 echoes and their answers, none of them by the hub's kernel.
    assert hub.counters()["forwarded_packets"] - forwarded >= 36
    assert hub.status()["workers"][0]["tun_tx_packets"] == device
    transfer(topology.clients[0].namespace, topology.clients[2].namespace,
             "10.0.0.4", 16 << 20)


def test_wrong_key_is_told_and_leaves_no_state(topology, start, folder,
                                               variant):
    hub = _start_hub(start, topology, variant)
    capture = Capture(topology.router, "hub", folder)
    client = _start_client(start, topology, variant, 0,
                           key="another-password-2024")
    client.wait_log(r"(?i)wrong key, or clocks differ; local time is")
    assert topology.client.namespace.ping("10.0.0.1", count=1, timeout=1) == 0
    status = hub.status()
    assert status["peers"] == []
    assert client.status()["peers"][0]["state"] != "up"
    capture.stop()
    payloads = capture.fields("tcp.payload", condition="tcp.srcport == 9000 "
                              "&& tcp.len > 0")
    assert ["15030300020228"] in payloads
    fins = capture.fields("frame.number", condition="tcp.srcport == 9000 && "
                          "tcp.flags.fin == 1")
    resets = capture.fields("frame.number", condition="tcp.flags.reset == 1")
    assert fins and not resets


def test_second_key_is_refused_without_multi_client(make_topology, start,
                                                    variant):
    topology = make_topology(clients=2)
    hub = _start_hub(start, topology, variant, "-multi-client=false")
    first = _start_client(start, topology, variant, 0)
    first.wait_up()
    second = _start_client(start, topology, variant, 1)
    second.wait_log(r"(?i)refused")
    assert len(hub.wait_up()["peers"]) == 1
    assert topology.clients[0].namespace.ping("10.0.0.1") == 3


def test_address_of_another_client_is_refused(make_topology, start, variant):
    topology = make_topology(clients=2)
    hub = _start_hub(start, topology, variant)
    _start_client(start, topology, variant, 0).wait_up()
    thief = _start_client(start, topology, variant, 1, tunnel="10.0.0.2/24")
    thief.wait_log(r"(?i)refused")
    hub.wait_up()
    assert topology.clients[0].namespace.ping("10.0.0.1") == 3


def test_address_is_held_across_a_crash_of_the_hub(make_topology, start,
                                                   variant, folder):
    topology = make_topology(clients=2)
    hub = _start_hub(start, topology, variant)
    owner = _start_client(start, topology, variant, 0)
    owner.wait_up()
    addresses = folder / "hub" / "addresses"
    wait_until(lambda: addresses.exists() and "10.0.0.2 " in
               addresses.read_text(), 5, "the address is written down")
    assert stat.S_IMODE(addresses.stat().st_mode) == 0o600
    hub.kill()
    owner.kill()
    hub.start()
    thief = _start_client(start, topology, variant, 1, tunnel="10.0.0.2/24")
    thief.wait_log("belongs to another client")
    owner.start()
    owner.wait_up()
    assert len(hub.wait_up()["peers"]) == 1


def test_forgotten_address_goes_to_the_next(make_topology, start, variant):
    topology = make_topology(clients=2)
    hub = _start_hub(start, topology, variant)
    owner = _start_client(start, topology, variant, 0)
    owner.wait_up()
    refused = hub.lwtctl("peer", "forget", "10.0.0.9", check=False)
    assert refused.returncode == 1
    assert "no client has 10.0.0.9\n" in refused.stdout
    owner.kill()
    assert "10.0.0.2 is free" in hub.lwtctl("peer", "forget",
                                            "10.0.0.2").stdout
    assert hub.status()["peers"] == []
    _start_client(start, topology, variant, 1, tunnel="10.0.0.2/24").wait_up()
    assert topology.clients[1].namespace.ping("10.0.0.1") == 3


def test_addresses_are_leased(make_topology, start):
    """Two that ask for one, beside one that has its own; the same again after
    either side was started again."""
    variant = Variant(workers=2)
    topology = make_topology(clients=3)
    hub = start(topology.hub.namespace, [
        *server_arguments("10.0.0.1/29,fd00::1/64", variant), "-address-pool",
        "10.0.0.4/31"
    ], "hub")
    hub.wait_up(peers=0)
    fixed = _start_client(start, topology, variant, 0, "10.0.0.2/29")
    asking = [_start_client(start, topology, variant, number, "auto")
              for number in (1, 2)]

    def leased(client):
        client.wait_up(timeout=30)
        return client.status()["tunnel"]["addresses"]

    fixed.wait_up(timeout=30)
    addresses = [leased(client) for client in asking]
    assert {pair[0] for pair in addresses} == {"10.0.0.4/29", "10.0.0.5/29"}
    assert all(pair[1].startswith("fd00::") for pair in addresses)
    for number, pair in zip((1, 2), addresses):
        side = topology.clients[number].namespace
        shown = side.ip("address", "show", "dev", "lwt0")
        assert all(f" {each} " in shown for each in pair)
        for reached in ("10.0.0.1", "fd00::1", "10.0.0.2"):
            assert side.ping(reached, count=1), reached
    other = addresses[1][0].split("/")[0]
    assert topology.clients[1].namespace.ping(other, count=1)
    asking[0].kill()
    asking[0].start()
    assert leased(asking[0]) == addresses[0]
    assert hub.stop() == 0
    hub.start()
    hub.wait_up(peers=3, timeout=40)
    assert [leased(client) for client in asking] == addresses
    assert topology.clients[2].namespace.ping("10.0.0.1", count=1)
    assert asking[0].stop() == 0


def test_more_than_max_clients_are_refused(make_topology, start, variant):
    topology = make_topology(clients=2)
    hub = _start_hub(start, topology, variant, "-max-clients=1")
    _start_client(start, topology, variant, 0).wait_up()
    _start_client(start, topology, variant, 1).wait_log(r"(?i)refused")
    hub.wait_up()


def test_spoofed_inner_source_is_dropped(make_topology, start, variant):
    topology = make_topology(clients=2)
    hub = _start_hub(start, topology, variant)
    clients = [_start_client(start, topology, variant, i) for i in range(2)]
    for client in clients:
        client.wait_up()
    namespace = topology.clients[0].namespace
    namespace.ip("address", "add", "10.0.0.99/32", "dev", "lwt0")
    namespace.run("ping", "-c", "5", "-i", "0.05", "-W", "1", "-I",
                  "10.0.0.99", "10.0.0.3", check=False)
    hub.wait_status(lambda status: status["drops"]["inner_source"] == 5, 2,
                    "five packets dropped for their source")
