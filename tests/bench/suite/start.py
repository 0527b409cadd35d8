"""`start`: from the start of a client to its first packet, and its memory with
default settings."""

import dataclasses
import pathlib
import re
import subprocess

from harness import gateway
from harness.gateway import Gateway
from harness.topology import Topology
from harness.traffic import Iperf
from suite import contenders
from suite.goals import target
from suite.report import Report, Table
from suite.running import whole_leg

_PROBE = gateway.BUILD / "tests/bench/latency-probe"
_ADDRESSES = contenders.Lwt.hub_address, contenders.Lwt.client_address


def resident_mib(text):
    """Of the text of /proc/PID/status."""
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M).group(1)) / 1024


def _resident(side):
    return resident_mib(pathlib.Path(f"/proc/{side.pid}/status").read_text())


def _round(hub, client, topology):
    inside = topology.client.namespace
    probe = inside.popen(_PROBE, "first", _ADDRESSES[0],
                         stdout=subprocess.PIPE, text=True)
    client.start()
    first = float(probe.communicate(timeout=30)[0])
    started = client.started
    for flags in ((), ("-R",)):
        Iperf(topology.hub.namespace, inside, _ADDRESSES[0], *flags,
              seconds=1).result()
    figures = {"first_packet_s": first - started,
               "client_mib": _resident(client), "hub_mib": _resident(hub)}
    client.stop()
    return figures


def run(context):
    report = Report("start", context.facts, context.gated)
    report.method.append(
        "A client with default settings starts beside a hub that is up; a "
        "probe inside asks every 2 ms until the first answer. Then one TCP "
        "flow each way for 1 s, and the resident set of both.")
    topology = Topology(leg=whole_leg)
    sides = []
    try:
        folder = context.folder("start")
        hub = Gateway(topology.hub.namespace, folder,
                      ["-m", "server", "-l", f"0.0.0.0:{gateway.PORT}", "-t",
                       f"{_ADDRESSES[0]}/24", "-k", gateway.KEY], "hub")
        sides.append(hub)
        client = Gateway(topology.client.namespace, folder,
                         ["-m", "client", "-r",
                          f"{topology.hub.v4}:{gateway.PORT}", "-t",
                          f"{_ADDRESSES[1]}/24", "-k", gateway.KEY], "client")
        sides.append(client)
        client.wait_up()
        echo = topology.hub.namespace.popen(_PROBE, "echo", _ADDRESSES[0],
                                            stdout=subprocess.DEVNULL)
        memory = client.status()["memory"]["mode"]
        client.stop()
        rounds = context.run_rounds(
            {f"memory {memory}": lambda: _round(hub, client, topology)})
        echo.kill()
        echo.wait()
    finally:
        for side in sides:
            side.stop()
        topology.delete()
    name = f"memory {memory}"
    row = {key: rounds.median(name, key)
           for key in ("first_packet_s", "client_mib", "hub_mib")}
    row.update(name=name, kept=len(rounds.kept(name)), total=len(rounds.all))
    report.tables.append(
        Table("start of a client", [("name", "defaults", ""),
                                    ("first_packet_s", "first packet s",
                                     ".2f"),
                                    ("client_mib", "client MiB", ".1f"),
                                    ("hub_mib", "hub MiB", ".1f"),
                                    ("kept", "kept", ""),
                                    ("total", "of", "")], [row]))
    report.targets += [
        target("start", rounds.settled(name, "first_packet_s")),
        target("memory", rounds.settled(name, "client_mib"))
    ]
    report.count(row["kept"], row["total"])
    report.commands["client"] = [" ".join(["lightweight-tunnel",
                                           *client.arguments])]
    report.raw = [dataclasses.asdict(one) for one in rounds.all]
    return report
