"""A rate that the operator set: a transfer has it, and a ping passes the
transfer. The control is the same line in the same run without a rate, whose
limit stands behind the gateway, in a queue that everybody shares."""

import re
import statistics

import pytest
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
