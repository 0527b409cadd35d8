"""Scenarios that are one program each: it measures and gates by itself and
prints one JSON object for each block of repetitions. A block is a round."""

import dataclasses
import json
import statistics
import subprocess

from harness.netns import run
from suite.goals import target
from suite.report import Report, Table, Target
from suite.rounds import Rounds, Round

_KEPT_PER_BLOCK = 25
_BLOCKS = 15
# How a block says which cryptography it ran; docs and the report's notes.
_CRYPTOS = {
    "as the CPU is": "as the CPU is",
    "as without VAES and GFNI": "as on a CPU without VAES and GFNI",
}
_METHOD = (
    "In one process, on one CPU: repetitions of 32 packets, kept when a probe "
    "before and after was within 1.15 of its best; a block is the median of "
    f"{_KEPT_PER_BLOCK} kept, the figures are medians over blocks, TSC cycles "
    "per packet. 'kept' and 'of' count repetitions.")


def parse(text, label):
    """Rounds out of the program's lines; `label` names a line's row."""
    rounds, repetitions = Rounds(), {}
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        block = json.loads(line)
        name = label(block)
        number = len(rounds.of(name))
        done = repetitions.setdefault(name, {"kept": 0, "total": 0})
        done["kept"] += block["kept"]
        done["total"] += block["total"]
        rounds.all.append(
            Round(name, number, block, 0, 0,
                  kept=block["complete"]))
    return rounds, repetitions


def names(rounds):
    return list(dict.fromkeys(one.contender for one in rounds.all))


def quotient(rounds, name, above, below):
    """Median over kept blocks of one figure over another, as a Ratio."""
    twin = Rounds()
    for one in rounds.kept(name):
        for key, figure in (("above", above), ("below", below)):
            twin.all.append(Round(key, one.number,
                                  {"value": one.figures[figure]}, 0, 0, True))
    return twin.ratio("value", "above", "below")


def _run(context, program, parts=1):
    """`parts`: how many programs are still to run, this one among them."""
    path = context.build / "tests/bench" / program
    words = [str(path), str(max(context.rounds, _BLOCKS)),
             f"{max(context.share(parts), 1):.0f}"]
    return words, run(*words).stdout


def _measure(context, report, program, label, parts=1):
    command, text = _run(context, program, parts)
    report.commands[program] = [" ".join(command)]
    rounds, repetitions = parse(text, label)
    for done in repetitions.values():
        report.count(**done)
    report.raw += [dataclasses.asdict(one) for one in rounds.all]
    return rounds, repetitions


def _report(context, scenario, program, label, parts=1):
    report = Report(scenario, context.facts)
    report.method.append(_METHOD)
    return report, *_measure(context, report, program, label, parts)


def _rows(rounds, repetitions, figures):
    for name in names(rounds):
        row = {key: rounds.median(name, key) for key in figures}
        row.update(name=name, **repetitions[name])
        yield row


def pipeline_label(block):
    kind = "clean"
    if "lossy" in block:
        kind = "loss" if block["retransmit"] else "loss, not sent again"
    return (block["crypto"], kind,
            f"{block['path']}, {block['size']} B, {block['code']}")


_LOSSES = {
    "loss": "with retransmission",
    "loss, not sent again": "without retransmission",
}
# Goal, row, and the figures whose quotient it is about.
_PIPELINE_GOALS = (
    ("sender", "clean", "ring, super-frames, 1400 B, 10+3",
     "send_reference", "sender"),
    ("sender-64", "clean", "ring, super-frames, 64 B, 10+3",
     "send_reference", "sender"),
    ("sender-memif", "clean", "memif, 1400 B, 10+3",
     "send_reference", "sender"),
    ("sender-checksum", "clean", "ring, 1400 B, 10+3",
     "send_reference", "sender"),
    ("receiver", "clean", "ring, super-frames, 1400 B, off",
     "open_reference", "receiver"),
    *(("receiver-loss", kind, "ring, super-frames, 1400 B, 10+3",
       "lossy", "clean") for kind in _LOSSES),
)


def _clean_table(crypto, rounds, repetitions):
    rows = []
    for row in _rows(rounds, repetitions,
                     ("sender", "send_reference", "receiver",
                      "open_reference")):
        label = row["name"]
        if label[:2] != (crypto, "clean"):
            continue
        for key, above, below in (
            ("sending", "send_reference", "sender"),
            ("receiving", "open_reference", "receiver")):
            row[key] = str(quotient(rounds, label, above, below))
        row["name"] = label[2]
        rows.append(row)
    return Table(f"pipeline, {_CRYPTOS[crypto]}",
                 [("name", "ports, packets, code", ""),
                  ("sender", "sender", ".0f"),
                  ("send_reference", "crypto+FEC alone", ".0f"),
                  ("sending", "alone/sender", ""),
                  ("receiver", "receiver", ".0f"),
                  ("open_reference", "open alone", ".0f"),
                  ("receiving", "alone/receiver", ""),
                  ("kept", "kept", ""), ("total", "of", "")], rows,
                 "sender", "TSC cycles per packet")


def _loss_table(crypto, rounds, repetitions):
    rows = []
    for row in _rows(rounds, repetitions, ("clean", "lossy")):
        label = row["name"]
        if label[0] != crypto or label[1] not in _LOSSES:
            continue
        row["ratio"] = str(quotient(rounds, label, "lossy", "clean"))
        row["name"] = f"{label[2]}, {_LOSSES[label[1]]}"
        rows.append(row)
    return Table(f"receiver at 3 % loss, {_CRYPTOS[crypto]}",
                 [("name", "ports, packets, code", ""),
                  ("clean", "no loss", ".0f"), ("lossy", "3 % loss", ".0f"),
                  ("ratio", "loss/none", ""), ("kept", "kept", ""),
                  ("total", "of", "")], rows)


def pipeline(context):
    report, rounds, repetitions = _report(context, "pipeline",
                                          "bench-pipeline", pipeline_label)
    report.method += [
        "sender: one loop of the client's worker, ACKs of the burst before "
        "included; receiver: the hub's loops until it has all frames of the "
        "burst, its ACKs included. 'super-frames': TCP inside in frames of "
        "64 KiB, records outside as well; 'offload': the outside only; 'ring' "
        "and 'memif': single frames, checksums by software.",
        "crypto+FEC alone: each data record of the burst added to the "
        "parities of its group (incremental) and sealed (IPsec-MB, "
        "direct calls), and the parities sealed, in buffers of the same sizes "
        "and nothing else; open alone: the data records opened, no parity.",
        "3 % loss: frames lost at random on the way, a round trip of 0.2 ms; "
        "cycles of a packet that arrives inside, with retransmission as by "
        "default and without; means instead of medians, since losses fall "
        "where they fall.",
        "The targets were drawn up for a CPU without VAES and GFNI. 'as "
        "without': pipeline and reference both with the AES-NI code of "
        "IPsec-MB and the faster of ISA-L's.",
    ]
    for crypto in _CRYPTOS:
        report.tables += [_clean_table(crypto, rounds, repetitions),
                          _loss_table(crypto, rounds, repetitions)]
    for key, kind, name, above, below in _PIPELINE_GOALS:
        for crypto, label in _CRYPTOS.items():
            report.targets.append(
                target(key, quotient(rounds, (crypto, kind, name), above,
                                     below),
                       f"{_LOSSES[kind]}, {label}" if kind in _LOSSES
                       else label))
    return report


def scale_label(block):
    routes = f", {block['routes']} routes" if block["routes"] else ""
    return f"{block['peers']} peers{routes}"


def client_kib(rounds):
    """What one more peer adds to the resident set of one end, in KiB."""
    memory = [statistics.median(one.figures["memory_mib"]
                                for one in rounds.kept(name))
              if rounds.kept(name) else None
              for name in ("10 peers", "10000 peers")]
    if None in memory:
        return None
    return (memory[1] - memory[0]) * 1024 / 2 / (10_000 - 10)


def scale(context):
    report, rounds, repetitions = _report(context, "scale", "bench-scale",
                                          scale_label, parts=2)
    report.method.append(
        "Packets of 1400 B over rings, on 8 peers in turn (one peer: on that "
        "one). Every peer has a lane with keys and windows at both ends and "
        "has opened a record, and places of lanes are as many as a hub's worker "
        "has for so many clients. memory: what the rig added to the resident "
        "set, both ends; the first also what the process shares.")
    rows = []
    for row in _rows(rounds, repetitions,
                     ("sender", "receiver", "memory_mib")):
        for key, figure in (("send_ratio", "sender"),
                            ("receive_ratio", "receiver")):
            row[key] = str(rounds.ratio(figure, row["name"], "1 peers"))
        rows.append(row)
    report.tables.append(
        Table("scale", [("name", "hub", ""), ("sender", "sender", ".0f"),
                        ("send_ratio", "of 1 peer", ""),
                        ("receiver", "receiver", ".0f"),
                        ("receive_ratio", "of 1 peer", ""),
                        ("memory_mib", "memory MiB", ".1f"),
                        ("kept", "kept", ""), ("total", "of", "")], rows,
              "receiver", "TSC cycles per packet"))
    for figure in ("sender", "receiver"):
        report.targets.append(
            target(f"scale-{figure}",
                   rounds.ratio(figure, "10000 peers", "1 peers")))
    report.targets.append(target("scale-memory", client_kib(rounds)))
    _hub_control(context, report)
    return report


def _hub_control(context, report):
    """What a crowd costs a hub's control thread, idle and joining."""
    rounds, repetitions = _measure(context, report, "bench-hub-control",
                                   lambda block: block["row"])
    report.method.append(
        "control thread: the real sessions, snapshots and owners of a hub with "
        "10 000 clients, above a worker that only answers, in fake time. idle: "
        "cycles of the turns of one second with keep-alives alone, over those "
        "of a second. joins: cycles of one join at 500 joins a second, with all "
        "that the hub does meanwhile, beside the X25519 that the hub's half of "
        "a handshake is made of.")
    idle = quotient(rounds, "idle", "busy", "core")
    joins = quotient(rounds, "joins", "x25519", "join")
    rate = quotient(rounds, "joins", "second", "join")
    rows = [{"name": "idle, share of a core", "value": _exact(idle),
             **repetitions.get("idle", {})},
            {"name": "a join: X25519 alone / all", "value": str(joins),
             **repetitions.get("joins", {})},
            {"name": "joins a second", "value": _exact(rate, 0),
             **repetitions.get("joins", {})}]
    report.tables.append(
        Table("a hub's control thread, 10 000 clients",
              [("name", "", ""), ("value", "", ""), ("kept", "kept", ""),
               ("total", "of", "")], rows))
    report.targets += [target("scale-idle", idle), target("scale-joins", joins),
                       target("scale-joins-rate", rate)]


def _exact(ratio, digits=4):
    """A share of a core is too small for the two digits of a ratio."""
    return str(ratio) if ratio.value is None else f"{ratio.value:.{digits}f}"


def workers(context):
    report, rounds, repetitions = _report(context, "workers", "bench-workers",
                                          lambda block: "two workers")
    report.method[:] = [
        "One hub over rings with two peers and bursts each way: with one "
        "worker, and with two, which share the snapshot, the directory of "
        "flows and the rings for handing over, and have a peer's lane each. "
        "In turns, some milliseconds each, kept when both CPUs were quiet "
        "before and after. A thread runs its worker and, untimed in between, "
        "the clients of its peers. Packets of 1400 B per 1000 TSC cycles of "
        "the hub's workers, both ways."]
    row = next(_rows(rounds, repetitions, ("one", "two")))
    speed = quotient(rounds, row["name"], "two", "one")
    row["ratio"] = str(speed)
    report.tables.append(
        Table("workers", [("name", "", ""), ("one", "one", ".3f"),
                          ("two", "two", ".3f"), ("ratio", "two/one", ""),
                          ("kept", "kept", ""), ("total", "of", "")], [row]))
    report.targets.append(target("workers", speed))
    return report


def worst(context):
    report, rounds, repetitions = _report(
        context, "worst", "bench-worst", lambda block: block["stage"])
    report.method[:] = [
        "Each stage and parser of the inbound path with its common input and "
        "with the worst legal one that is known, in turns in one process, "
        "kept when the machine was quiet before and after; medians over "
        "blocks, TSC cycles of one operation."]
    rows = []
    for row in _rows(rounds, repetitions, ("common", "worst")):
        figures = rounds.of(row["name"])[0].figures
        ratio = quotient(rounds, row["name"], "worst", "common")
        row.update(common_input=figures["common_input"],
                   worst_input=figures["worst_input"], ratio=str(ratio))
        rows.append(row)
        report.targets.append(target("worst", ratio, row["name"]))
    report.tables.append(
        Table("worst", [("name", "stage", ""), ("common_input", "common", ""),
                        ("common", "cycles", ".0f"),
                        ("worst_input", "worst", ""),
                        ("worst", "cycles", ".0f"),
                        ("ratio", "worst/common", ""),
                        ("kept", "kept", ""), ("total", "of", "")], rows,
              "worst", "TSC cycles of an operation"))
    return report


def micro(context):
    report = Report("micro", context.facts)
    report.method.append(
        "Google Benchmark; repetitions of at most 100 µs pass the gate, 25 "
        "kept of each; the median, in TSC cycles of one call. vaes:0: the "
        "cryptography as on a CPU without VAES. Encode and Decode: by what a "
        "gateway chooses on this CPU, beside what ISA-L chooses; Avx2: both "
        "by AVX2. merged:1: the records lie side by side in one buffer.")
    path = context.build / "tests/bench/bench-micro"
    words = [str(path), "--benchmark_format=json"]
    report.commands["bench-micro"] = [" ".join(words)]
    text = run(*words, stderr=subprocess.DEVNULL).stdout
    report.raw = json.loads(text)["benchmarks"]
    for one in report.raw:
        report.count(int(one["kept"]), int(one["total"]))
    rows = [{"name": one["name"].split("/iterations")[0],
             "cycles": one["cycles"], "kept": int(one["kept"]),
             "total": int(one["total"]), "bare": one.get("bare"),
             "ratio": one.get("ratio")} for one in report.raw]
    report.tables.append(
        Table("micro", [("name", "part", ""), ("cycles", "cycles", ".0f"),
                        ("bare", "bare ISA-L", ".0f"),
                        ("ratio", "bare/ours", ".2f"),
                        ("kept", "kept", ""), ("total", "of", "")], rows,
              "cycles", "TSC cycles of a call"))
    report.targets += [
        Target(f"{row['name']}: bare ISA-L / ours", 0.85, row["ratio"])
        for row in rows if row["ratio"] is not None]
    return report
