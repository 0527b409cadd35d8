"""A rate that the operator set: a transfer has it, and a ping passes the
transfer. The control is the same line in the same run without a rate, whose
limit stands behind the gateway, in a queue that everybody shares."""

import re
import statistics

import pytest
from harness.gateway import client_arguments, server_arguments
from harness.traffic import Iperf, mbits
from harness.variant import Variant
from harness.wait import wait_until

_HUB = "10.0.0.1"
_LINE_MBIT = 10
_RATE_MBIT = 8


def _pings(namespace, address):
    text = namespace.run("ping", "-n", "-c", 60, "-i", 0.05, "-W", 2, address,
                         check=False).stdout
    return [float(each) for each in re.findall(r"time=([\d.]+)", text)]


def _added_ms(link, address):
    """What a transfer adds to the median ping, and what it gets."""
    client = link.client.namespace
    idle = statistics.median(_pings(client, address))
    transfer = Iperf(link.hub.namespace, client, address, seconds=6)
    wait_until(lambda: max(_pings(client, address)[-5:]) > idle, 5, "load")
    loaded = _pings(client, address)
    assert len(loaded) >= 40
    return statistics.median(loaded) - idle, mbits(transfer.result())


@pytest.mark.alone
def test_a_ping_passes_a_transfer_that_the_rate_holds(make_bad_link, start):
    link = make_bad_link(delay_ms=5, rate_mbit=_LINE_MBIT,
                         queue_frames=200)
    kernel, _ = _added_ms(link, link.hub.v4)
    _, client = start.pair(link, Variant(), flags=("-fec", "off"))
    without, _ = _added_ms(link, _HUB)
    client.stop()
    client.arguments += ["-rate", f"{_RATE_MBIT}M"]
    client.start()
    client.wait_up()
    added, got = _added_ms(link, _HUB)
    assert added < min(kernel, without) / 4, (added, without, kernel)
    assert 0.75 * _RATE_MBIT < got < _RATE_MBIT
    assert client.status()["drops"]["queue_stands"] > 0


def _together(*runs):
    """What transfers that run at the same time get, each of
    (server, client, address, flags)."""
    transfers = [Iperf(*run, seconds=4) for run in runs]
    return [mbits(each.result()) for each in transfers]


@pytest.mark.alone
def test_a_client_has_rates_and_a_code_of_its_own(make_topology, start,
                                                  folder):
    """Beside one that has those of all; settled by reloads while both are
    up."""
    topology = make_topology(clients=2)
    settings = folder / "hub.toml"
    variant = Variant()
    general = 'fec = "off"\nrate = "16M"\nrate_in = "16M"\n'
    settings.write_text(general)
    hub = start(topology.hub.namespace, [
        "-c", settings, *server_arguments("10.0.0.1/24", variant)
    ], "hub")
    clients = [start(topology.clients[number].namespace,
                     client_arguments(topology.hub.v4, f"10.0.0.{2 + number}/24",
                                      variant), f"client{number}")
               for number in range(2)]
    for client in clients:
        client.wait_up()
    hub.wait_up(peers=2)

    def set_for(number, text, general=general):
        key = clients[number].status()["public_key"]
        settings.write_text(f'{general}\n[[peer]]\npublic_key = "{key}"\n{text}')
        hub.lwtctl("reload")

    def in_force(figure):
        peers = {peer["tunnel_addresses"][0]: peer
                 for peer in hub.status()["peers"]}
        return [figure(peers[f"10.0.0.{2 + number}"]) for number in range(2)]

    inside = [host.namespace for host in topology.clients]
    outside = topology.hub.namespace
    set_for(0, 'fec = "8:6"\nrate = "4M"\n')
    wait_until(lambda: in_force(lambda peer: peer["fec"]["fec_tx_data"])
               == [8, 0], 20, "the code is one client's")
    assert in_force(lambda peer: peer["rate"]) == [4_000_000, 16_000_000]
    assert "4 Mbit/s to it" in hub.lwtctl("status").stdout
    slow, fast = _together((inside[0], outside, "10.0.0.2"),
                           (inside[1], outside, "10.0.0.3"))
    assert 0.05 < slow / fast < 0.45, (slow, fast)

    set_for(1, 'rate_in = "4M"\n', general.replace('rate = "16M"',
                                                   'rate = "15M"'))
    wait_until(lambda: in_force(lambda peer: peer["fec"]["fec_tx_data"])
               == [0, 0], 20, "the code was that of the entry")
    assert in_force(lambda peer: peer["rate"]) == [15_000_000, 15_000_000]
    assert in_force(lambda peer: peer["rate_in"]) == [16_000_000, 4_000_000]
    before = hub.drops()["over_rate"]
    fast, slow = _together((inside[0], outside, "10.0.0.2", "-R"),
                           (inside[1], outside, "10.0.0.3", "-R"))
    assert slow / fast < 0.45, (slow, fast)
    assert hub.drops()["over_rate"] > before
