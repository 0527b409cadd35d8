"""`loss`: what is left of TCP, UDP and delay on a path that loses, beside plain
kernel TCP; and what FEC costs a round trip where nothing is lost."""

import json
import pathlib
import statistics
import subprocess
import sys

from harness.bad_link import BadLink
from harness.traffic import Iperf, mbits
from harness.wait import wait_until
from suite import contenders, latency
from suite.latency import percentile
from suite.report import Report, Table, Target
from suite.running import All

LOSSES = (1, 3, 5, 10)
CONTROLS = ("cubic", "bbr")
_RUNS = 5
_LEAST_SECONDS = 3  # sixty round trips: a flow has found its pace
_ONE_WAY_MS = 25
_MTU = 1500
_LINK_HEADER = 14
_STREAM = pathlib.Path(__file__).with_name("stream_probe.py")
_SIZE, _RATE = 1200, 4000  # bytes of a datagram, datagrams a second
_QUIET_BYTES = 20_000  # in eight looks: nothing but reports
_HEADERS = 28  # of an inner datagram
_PLAIN = "lwt-plain"
_AUTO = "lwt-auto"
_TARGET_LOSS, _TARGET_GAIN = 3, 20
_PING_US = 20


class Direct(contenders.Contender):
    """No tunnel: what the kernel's own TCP and UDP make of the path."""

    name = "kernel"

    def version(self):
        return subprocess.run(["uname", "-r"], check=True, text=True,
                              capture_output=True).stdout.strip()

    def start(self, topology, folder):
        self.hub_address = topology.hub.v4
        self.client_address = topology.client.v4


def _lwt(suffix, *flags):
    one = contenders.Lwt("af_packet", flags, suffix)
    one.name = f"lwt{suffix}"
    return one


def all_contenders():
    return [
        Direct(),
        _lwt("-plain", "-fec", "off", "-retransmit=false"),
        _lwt("-retransmission", "-fec", "off"),
        *(_lwt(f"-{code}", "-fec", code)
          for code in ("20:2", "10:3", "10:5", "8:6")),
        _lwt("-auto"),
    ]


class _Path:
    """A contender on a bad link of its own."""

    def __init__(self, contender, context):
        self.contender = contender
        self.link = BadLink(delay_ms=_ONE_WAY_MS)
        try:
            contender.start(self.link, context.folder(contender.name))
        except BaseException:
            self.delete()
            raise

    def delete(self):
        self.contender.stop()
        self.link.delete()

    @property
    def _ends(self):
        return self.link.hub.namespace, self.link.client.namespace

    def tcp(self, control, seconds):
        """Goodput in Mbit/s towards the hub."""
        hub, client = self._ends
        return mbits(Iperf(hub, client, self.contender.hub_address, "-C",
                           control, seconds=seconds).result())

    def wire_bytes(self):
        """That the client has sent."""
        return int(self.link.wire.output(
            "cat", "/sys/class/net/client/statistics/rx_bytes"))

    def settle(self):
        """Waits until the traffic before is through."""
        seen = []

        def quiet():
            seen.append(self.wire_bytes())
            return len(seen) > 8 and seen[-1] - seen[-8] < _QUIET_BYTES

        wait_until(quiet, 10, "the path is quiet")

    def stream(self, seconds, backward=False):
        """A stream of datagrams towards the hub: delays in microseconds, one
        each, and how many were sent."""
        to, of = self._ends[::-1] if backward else self._ends
        address = (self.contender.client_address if backward else
                   self.contender.hub_address)
        sink = to.popen(sys.executable, _STREAM, "receive", address, seconds +
                        2, stdout=subprocess.PIPE, text=True)
        try:
            assert sink.stdout.readline() == "ready\n"
            sent = of.output(sys.executable, _STREAM, "send", address,
                             seconds, _SIZE, _RATE)
            delays = json.loads(sink.communicate(timeout=seconds + 30)[0])
        finally:
            sink.kill()
            sink.wait()
        return delays, int(sent)

    def learn(self):
        """Lets the automatic choice find its code, both ways."""
        for _ in range(2):
            for backward in (False, True):
                self.stream(2, backward)


def _udp(path, seconds):
    path.settle()
    before = path.wire_bytes()
    delays, sent = path.stream(seconds)
    wire = path.wire_bytes() - before
    return {"sent": sent, "lost_share": 1 - len(delays) / sent,
            "delays": sorted(delays),
            "wire_share": wire / (sent * (_SIZE + _HEADERS))}


def _run(path, loss, seed, seconds):
    """One seeded run: TCP by each control, then the stream."""
    path.link.change(delay_ms=_ONE_WAY_MS, loss=loss, seed=seed)
    figures = {"loss": loss, "seed": seed, "name": path.contender.name}
    for control in CONTROLS:
        figures[control] = path.tcp(control, seconds)
    figures.update(_udp(path, max(2, seconds - 1)))
    figures["largest"] = max(
        way["largest"] for way in path.link.counts().values())
    return figures


def summary(name, loss, runs):
    """One row of a table: medians of runs, delays pooled."""
    pooled = sorted(delay for one in runs for delay in one["delays"])
    row = {"name": name, "loss": loss, "runs": len(runs)}
    for key in (*CONTROLS, "lost_share", "wire_share"):
        row[key] = statistics.median(one[key] for one in runs)
    for key, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        row[key] = percentile(pooled, share) / 1000 if pooled else None
    row["largest"] = max(one["largest"] for one in runs)
    return row


def _seconds(context):
    """TCP needs some round trips of 50 ms to begin with."""
    return max(context.seconds, _LEAST_SECONDS)


def _losses(context):
    """In a run of all scenarios only the one that has a target."""
    return [loss for loss in LOSSES if context.wants(f"{loss}%")
            and (loss == _TARGET_LOSS or not context.short)]


def _paths(context):
    return [one for one in context.chosen(all_contenders())
            if one.name in (_PLAIN, _AUTO) or not context.short]


def _measure(contender, context, report, rows):
    runs = min(context.rounds, _RUNS)
    path = _Path(contender, context)
    try:
        # Upwards, as the automatic choice forgets slowly.
        for loss in _losses(context):
            path.link.change(delay_ms=_ONE_WAY_MS, loss=loss, seed=100)
            if contender.name == _AUTO:
                path.learn()
            done = []
            for seed in range(1, runs + 1):
                done.append(_run(path, loss, seed, _seconds(context)))
                context.note(loss, done[-1])
            rows.append(summary(contender.name, loss, done))
            report.raw += [{key: value for key, value in one.items()
                            if key != "delays"} for one in done]
    finally:
        path.delete()
    report.versions[contender.name] = contender.version()
    report.commands[contender.name] = contender.commands


def _loss_table(loss, rows):
    return Table(
        f"50 ms round trip, {loss} % lost each way",
        [("name", "path", ""), ("cubic", "cubic Mbit/s", ".1f"),
         ("bbr", "bbr Mbit/s", ".1f"), ("lost_share", "UDP lost", ".2e"),
         ("p50", "p50 ms", ".1f"), ("p99", "p99 ms", ".1f"),
         ("p999", "p99.9 ms", ".1f"), ("wire_share", "wire/inner", ".2f"),
         ("largest", "largest frame", ""), ("runs", "runs", "")],
        [row for row in rows if row["loss"] == loss], "cubic",
        "Mbit/s of TCP with cubic")


def targets(rows):
    by_name = {row["name"]: row for row in rows
               if row["loss"] == _TARGET_LOSS}
    if _AUTO in by_name and _PLAIN in by_name:
        yield Target(
            "TCP (cubic) at 3 %, auto over -fec off -retransmit=false",
            _TARGET_GAIN,
            by_name[_AUTO]["cubic"] / by_name[_PLAIN]["cubic"])
    largest = [row["largest"] for row in rows]
    if largest:
        yield Target("largest frame on the wire, bytes", _MTU + _LINK_HEADER,
                     max(largest), at_most=True)


def _clean_pings(context, report):
    """What FEC adds to a round trip where nothing is lost."""
    candidates = [_lwt("-off-ping", "-fec", "off"),
                  _lwt("-10:3-ping", "-fec", "10:3")]
    with All(candidates, "whole", context) as every:
        report.failures += every.failures
        servers = [latency.echo(one) for one in every.running]
        try:
            rounds = context.run_rounds(every.tasks(latency.ask))
        finally:
            for server in servers:
                server.kill()
                server.wait()
                server.stdout.close()
    off, on = (one.name for one in candidates)
    rows = [{"name": name, "p50_us": rounds.median(name, "p50_us", False),
             "p99_us": rounds.median(name, "p99_us", False),
             "kept": len(rounds.kept(name)), "total": len(rounds.of(name))}
            for name in (off, on)]
    report.tables.append(
        Table("round trips without loss", [("name", "path", ""),
                                           ("p50_us", "p50 µs", ".0f"),
                                           ("p99_us", "p99 µs", ".0f"),
                                           ("kept", "kept", ""),
                                           ("total", "of", "")], rows))
    added = [with_fec.figures["p50_us"] - without.figures["p50_us"]
             for with_fec, without in zip(rounds.of(on), rounds.of(off))
             if with_fec.kept and without.kept]
    report.targets.append(
        Target("median round trip without loss, FEC on less off, µs",
               _PING_US, statistics.median(added) if added else None,
               at_most=True, note=f"{len(added)} pairs of rounds"))


def run(context):
    report = Report("loss", context.facts, context.gated)
    report.method.append(
        f"Hub and client joined by tests/support/bad_link: {_ONE_WAY_MS} ms "
        "and independent loss each way, seeded; segmentation off, so that "
        "each frame is lost by itself. Medians of "
        f"{min(context.rounds, _RUNS)} seeded runs: TCP by iperf3 "
        f"({_seconds(context)} s, cubic, then bbr), then a stream of {_RATE} "
        f"datagrams of {_SIZE} bytes a second: what is lost for good, delays "
        "one way over all runs, and bytes of all frames that the sender put "
        "on the wire over bytes of inner packets. bbr has no target.")
    rows = []
    for contender in _paths(context):
        try:
            _measure(contender, context, report, rows)
        except (contenders.Missing, AssertionError,
                subprocess.SubprocessError) as error:
            report.failures.append(
                (contender.name, f"{type(error).__name__}: {error}"))
    report.tables += [_loss_table(loss, rows) for loss in LOSSES
                      if any(row["loss"] == loss for row in rows)]
    report.targets += targets(rows)
    report.count(len(report.raw), len(report.raw))
    if context.wants("clean"):
        _clean_pings(context, report)
    return report
