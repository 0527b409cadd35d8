"""`latency`: round trips of small packets, idle and at half load, beside a
bare relay."""

import dataclasses
import subprocess

from harness import gateway
from harness.traffic import Iperf, mbits
from suite import contenders
from suite.report import Report, Table, Target
from suite.running import All

_COUNT = 300
_PAUSE_US = 4000
_PROBE = gateway.BUILD / "tests/bench/latency-probe"
_FLOOR = contenders.BareRelay.name
# The uplink that a veth pair gets by itself.
_OURS = "lwt-af_packet"
_IDLE_LIMIT = 1.3
_LOADED_P99_US = 2000


def percentile(ordered, share):
    """The smallest value that at least `share` of them do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def figures(lines):
    """Of the probe's lines: a count of microseconds each, or "lost"."""
    times = sorted(float(line) for line in lines if line != "lost")
    result = {"lost": len(lines) - len(times), "times": times}
    if times:
        result.update(p50_us=percentile(times, 0.5),
                      p99_us=percentile(times, 0.99))
    return result


def ask(one):
    text = one.topology.client.namespace.output(
        _PROBE, "ask", one.contender.hub_address, _COUNT, _PAUSE_US)
    return figures(text.split())


def _loaded(one, half, seconds):
    """Round trips while one TCP flow runs at `half` Mbit/s."""
    traffic = Iperf(one.topology.hub.namespace, one.topology.client.namespace,
                    one.contender.hub_address, "-b", f"{half:.0f}M",
                    seconds=seconds)
    result = ask(one)
    result["load_mbits"] = mbits(traffic.result())
    return result


def _half_of_most(one):
    """The better of three short runs, halved: what "half load" is."""
    return max(
        mbits(Iperf(one.topology.hub.namespace, one.topology.client.namespace,
                    one.contender.hub_address, seconds=2).result())
        for _ in range(3)) / 2


def _table(title, rounds, names):
    rows = []
    for name in names:
        pooled = sorted(time for one in rounds.kept(name)
                        for time in one.figures["times"])
        rows.append({
            "name": name,
            "p50_us": rounds.median(name, "p50_us"),
            "p99_us": rounds.median(name, "p99_us"),
            "p999_us": percentile(pooled, 0.999) if pooled else None,
            "raw_us": rounds.median(name, "p50_us", False),
            "load": rounds.median(name, "load_mbits", False),
            "lost": sum(one.figures["lost"] for one in rounds.of(name)),
            "p50_ratio": str(rounds.ratio("p50_us", name, _FLOOR)),
            "p99_ratio": str(rounds.ratio("p99_us", name, _FLOOR)),
            "kept": len(rounds.kept(name)),
            "total": len(rounds.of(name)),
        })
    return Table(title, [("name", "contender", ""), ("p50_us", "p50", ".0f"),
                         ("p99_us", "p99", ".0f"),
                         ("p999_us", "p99.9", ".0f"),
                         ("raw_us", "p50, all rounds", ".0f"),
                         ("p50_ratio", "p50/bare", ""),
                         ("p99_ratio", "p99/bare", ""),
                         ("load", "load Mbit/s", ".0f"), ("lost", "lost", ""),
                         ("kept", "kept", ""), ("total", "of", "")], rows,
                 "raw_us", "µs")


def _targets(load, rounds):
    if load == "idle":
        for key in ("p50_us", "p99_us"):
            yield Target(f"round trip, idle, {key[:3]}, over a bare relay's",
                         _IDLE_LIMIT,
                         rounds.ratio(key, _OURS, _FLOOR).value,
                         at_most=True, note=_OURS)
    else:
        yield Target("round trip at half load, p99, µs", _LOADED_P99_US,
                     rounds.median(_OURS, "p99_us"), at_most=True,
                     note=_OURS)


def echo(one):
    """The answering end, in the hub's namespace."""
    server = one.topology.hub.namespace.popen(
        _PROBE, "echo", one.contender.hub_address, stdout=subprocess.PIPE,
        text=True)
    assert server.stdout.readline() == "ready\n"
    return server


def run(context):
    report = Report("latency", context.facts, context.gated)
    report.method.append(
        f"{_COUNT} UDP round trips a round, one at a time, a pause of "
        f"{_PAUSE_US} µs on average between; percentiles of a round, medians "
        "of the rounds kept; p99.9 over all of them together. Half load: one "
        "TCP flow at half of what the contender carried just before.")
    candidates = [contenders.BareRelay(), contenders.Lwt("af_packet"),
                  contenders.Lwt("af_xdp"), contenders.OpenVpn("udp"),
                  contenders.WireguardGo()]
    with All(candidates, "whole", context) as every:
        servers = [echo(one) for one in every.running]
        try:
            for load in filter(context.wants, ("idle", "half")):
                action = ask
                if load == "half":
                    half = {one.name: _half_of_most(one)
                            for one in every.running}
                    action = lambda one: _loaded(one, half[one.name],
                                                 context.seconds)
                rounds = context.run_rounds(every.tasks(action))
                report.tables.append(
                    _table(f"round trips, {load}", rounds,
                           [one.name for one in every.running]))
                report.targets += _targets(load, rounds)
                report.raw += [dict(dataclasses.asdict(one), load=load)
                               for one in rounds.all]
        finally:
            for server in servers:
                server.kill()
                server.wait()
                server.stdout.close()
        every.describe(report)
    return report
