"""From rounds of `tunnel` to a report with its targets."""

import dataclasses

from suite import tunnel
from suite.goals import GOALS, target
from suite.report import Report, Table

_COLUMNS = [
    ("name", "contender", ""),
    ("goodput_mbits", "Mbit/s", ".0f"),
    ("cpu_s_per_gb", "CPU s/GB", ".2f"),
    ("kernel_s_per_gb", "kernel threads", ".2f"),
    ("all_s_per_gb", "all, s/GB", ".2f"),
    ("cycles_per_packet", "busy cycles/packet", ".0f"),
    ("lost_share", "lost", ".2%"),
    ("raw_goodput_mbits", "Mbit/s, all rounds", ".0f"),
    ("kept", "kept", ""),
    ("total", "of", ""),
    ("goodput_over_openvpn", "goodput/OpenVPN", ""),
    ("cpu_over_openvpn", "CPU per GB/OpenVPN", ""),
]
_CODES = ("off", "10+3")


def _versus(rounds, figure, name, peers, worst):
    """The least favourable ratio of `name` to any of `peers`, or None."""
    ratios = [rounds.ratio(figure, name, peer) for peer in peers
              if rounds.of(peer)]
    if not ratios:
        return None
    for ratio in ratios:
        if ratio.value is None:
            return ratio
    return worst(ratios, key=lambda ratio: ratio.value)


def _table(title, rounds, contenders):
    peers = [one.name for one in contenders
             if one.name.startswith("openvpn")]
    rows = []
    for contender in contenders:
        name = contender.name
        row = {key: rounds.median(name, key)
               for key in ("goodput_mbits", "cpu_s_per_gb",
                           "kernel_s_per_gb", "all_s_per_gb",
                           "cycles_per_packet", "lost_share")}
        row.update(
            name=name,
            raw_goodput_mbits=rounds.median(name, "goodput_mbits", False),
            kept=len(rounds.kept(name)), total=len(rounds.of(name)))
        if name.startswith("lwt"):
            for key, figure, worst in (
                ("goodput_over_openvpn", "goodput_mbits", min),
                ("cpu_over_openvpn", "cpu_s_per_gb", max)):
                ratio = _versus(rounds, figure, name, peers, worst)
                row[key] = None if ratio is None else str(ratio)
        rows.append(row)
    return Table(title, _COLUMNS, rows, "raw_goodput_mbits", "Mbit/s")


def _better(rounds, names, peers):
    """Of the two uplinks the one with more goodput over the better OpenVPN:
    (name, Ratio). Where none has a ratio, that of the first."""
    found = [(name, _versus(rounds, "goodput_mbits", name, peers, min))
             for name in names]
    found = [(name, ratio) for name, ratio in found if ratio is not None]
    if not found:
        return None
    return max(found, key=lambda one: one[1].value or 0)


def _targets(leg, rounds, contenders):
    names = [one.name for one in contenders]
    peers = [name for name in names if name.startswith("openvpn")]
    for code in _CODES:
        ours = [name for name in names
                if name.startswith("lwt") and name.endswith(f"-{code}")]
        best = _better(rounds, ours, peers)
        name, goodput = best or ("", None)
        yield target(f"{leg}-{code}", goodput, note=name)
        if f"{leg}-cpu-{code}" in GOALS:
            cpu = _versus(rounds, "cpu_s_per_gb", name, peers, max)
            yield target(f"{leg}-cpu-{code}", cpu, note=name)


def run(context):
    report = Report("tunnel", context.facts, context.gated)
    report.method += [
        "iperf3 from client to hub through a routing namespace, "
        f"{context.seconds} s a round, contenders in turn; medians of the "
        "rounds kept as quiet.",
        "'whole': legs as the kernel makes them; 'segmented': tso and gso off "
        "at both hosts' legs. UDP is offered at a fixed rate.",
        f"CPU s/GB: {context.meter_method}, the programs of both ends "
        "together. It has what the kernel does in their system calls, and "
        "the softirqs that run on top of them and of which the kernel says: "
        f"{context.facts['interrupts']}. It does not have 'kernel threads' "
        "(ksoftirqd, kworker), which work for whoever is under way, nor what "
        "runs on top of iperf3. 'all': this run with iperf3, and kernel "
        "threads; what comes on top of a task of others is in none.",
    ]
    for leg, load, rounds, candidates in tunnel.measure(context):
        contenders = [one.contender for one in candidates.running]
        report.tables.append(_table(f"{leg}, {load}", rounds, contenders))
        if load == "tcp":
            report.targets += _targets(leg, rounds, contenders)
        candidates.describe(report)
        report.count(sum(one.kept for one in rounds.all), len(rounds.all))
        report.raw += [dict(dataclasses.asdict(one), leg=leg, load=load)
                       for one in rounds.all]
        context.say(report.tables[-1].text())
    return report
