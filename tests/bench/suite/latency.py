"""`latency`: round trips of small packets, idle and at half load, beside a
bare relay."""

import dataclasses
import subprocess

from harness import gateway
from harness.traffic import Iperf, mbits
from suite import contenders
from suite.goals import target
from suite.report import Report, Table
from suite.running import All

_COUNT = 300
_PAUSE_US = 4000
_PROBE = gateway.BUILD / "tests/bench/latency-probe"
_FLOOR = contenders.BareRelay.name
# On the uplink that a veth pair gets by itself, with each kind of FEC.
_OURS = {"FEC off": "lwt-af_packet-off", "FEC 10+3": "lwt-af_packet-10+3",
         "FEC auto": "lwt-af_packet-auto"}


def percentile(ordered, share):
    """The smallest value that at least `share` of them do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def figures(lines):
    """Of the probe's lines: a count of microseconds each, or "lost"."""
    times = sorted(float(line) for line in lines if line != "lost")
    result = {"lost": len(lines) - len(times), "times": times}
    if times:
        result.update(p50_us=percentile(times, 0.5),
                      p99_us=percentile(times, 0.99),
                      p99_ms=percentile(times, 0.99) / 1000)
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
    for case, name in _OURS.items():
        if load == "idle":
            for key in ("p50", "p99"):
                yield target(f"idle-{key}",
                             rounds.ratio(f"{key}_us", name, _FLOOR), case)
        else:
            yield target("half-p99", rounds.settled(name, "p99_ms"), case)


def all_contenders():
    return [contenders.BareRelay(),
            *(contenders.lwt("af_packet", fec)
              for fec in ("off", "10:3", "auto")),
            contenders.lwt("af_xdp", "off"), contenders.OpenVpn("udp"),
            contenders.WireguardGo()]


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
    with All(all_contenders(), "whole", context) as every:
        servers = [echo(one) for one in every.running]
        try:
            loads = list(filter(context.wants, ("idle", "half")))
            for number, load in enumerate(loads):
                action = ask
                if load == "half":
                    half = {one.name: _half_of_most(one)
                            for one in every.running}
                    action = lambda one: _loaded(one, half[one.name],
                                                 context.seconds)
                rounds = context.run_rounds(every.tasks(action),
                                            len(loads) - number)
                report.tables.append(
                    _table(f"round trips, {load}", rounds,
                           [one.name for one in every.running]))
                report.targets += _targets(load, rounds)
                report.count(sum(one.kept for one in rounds.all),
                             len(rounds.all))
                report.raw += [dict(dataclasses.asdict(one), load=load)
                               for one in rounds.all]
        finally:
            for server in servers:
                server.kill()
                server.wait()
                server.stdout.close()
        every.describe(report)
    return report
