"""From rounds of `tunnel` to a report with its targets."""

import dataclasses

from suite import tunnel
from suite.report import Report, Table, Target

_COLUMNS = [
    ("name", "contender", ""),
    ("goodput_mbits", "Mbit/s", ".0f"),
    ("cpu_s_per_gb", "CPU s/GB", ".2f"),
    ("cycles_per_packet", "busy cycles/packet", ".0f"),
    ("lost_share", "lost", ".2%"),
    ("raw_goodput_mbits", "Mbit/s, all rounds", ".0f"),
    ("kept", "kept", ""),
    ("total", "of", ""),
    ("goodput_over_openvpn", "goodput/OpenVPN", ""),
    ("cpu_over_openvpn", "CPU per GB/OpenVPN", ""),
]
# leg -> goodput at least, CPU per GB at most, in terms of OpenVPN's.
_WITHOUT_FEC = {"whole": (12, 1 / 8), "segmented": (6, None)}


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


def _targets(leg, rounds, contenders):
    """By the better of the two uplinks, against the better OpenVPN."""
    peers = [one.name for one in contenders
             if one.name.startswith("openvpn")]
    goodput, cpu = _WITHOUT_FEC[leg]
    best = {}
    for contender in contenders:
        if not contender.name.startswith("lwt"):
            continue
        ratio = _versus(rounds, "goodput_mbits", contender.name, peers, min)
        value = ratio.value if ratio else None
        if value is not None and value > best.get("goodput", 0):
            used = _versus(rounds, "cpu_s_per_gb", contender.name, peers, max)
            best = {"goodput": value, "cpu": used.value,
                    "name": contender.name}
    note = best.get("name", "")
    yield Target(f"TCP goodput over OpenVPN's, FEC off, {leg}", goodput,
                 best.get("goodput"), note=note)
    if cpu is not None:
        yield Target(f"CPU per GB over OpenVPN's, FEC off, {leg}", cpu,
                     best.get("cpu"), at_most=True, note=note)


def run(context):
    report = Report("tunnel", context.facts, context.gated)
    report.method += [
        "iperf3 from client to hub through a routing namespace, "
        f"{context.seconds} s a round, contenders in turn; medians of the "
        "rounds kept as quiet.",
        f"CPU: {context.meter_method}, both ends' gateways together. 'whole':"
        " legs as the kernel makes them; 'segmented': tso and gso off at "
        "both hosts' legs. UDP is offered at a fixed rate.",
    ]
    for leg, load, rounds, candidates in tunnel.measure(context):
        contenders = [one.contender for one in candidates.running]
        report.tables.append(_table(f"{leg}, {load}", rounds, contenders))
        if load == "tcp":
            report.targets += _targets(leg, rounds, contenders)
        candidates.describe(report)
        report.raw += [dict(dataclasses.asdict(one), leg=leg, load=load)
                       for one in rounds.all]
        context.say(report.tables[-1].text())
    return report
