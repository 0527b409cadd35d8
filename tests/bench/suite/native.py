"""Scenarios that are one program each: it measures and gates by itself and
prints one JSON object for each block of repetitions. A block is a round."""

import dataclasses
import json
import subprocess

from harness.netns import run
from suite.report import Report, Table, Target
from suite.rounds import Rounds, Round

_KEPT_PER_BLOCK = 25
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
                  kept=block["kept"] >= _KEPT_PER_BLOCK))
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


def _run(context, program):
    path = context.build / "tests/bench" / program
    blocks = max(context.rounds, 15)
    return [str(path), str(blocks)], run(path, blocks).stdout


def _report(context, scenario, program, label):
    report = Report(scenario, context.facts)
    report.method.append(_METHOD)
    command, text = _run(context, program)
    report.commands[program] = [" ".join(command)]
    rounds, repetitions = parse(text, label)
    report.raw = [dataclasses.asdict(one) for one in rounds.all]
    return report, rounds, repetitions


def _rows(rounds, repetitions, figures):
    for name in names(rounds):
        row = {key: rounds.median(name, key) for key in figures}
        row.update(name=name, **repetitions[name])
        yield row


def pipeline_label(block):
    return f"{block['path']}, {block['size']} B, {block['code']}"


def pipeline(context):
    report, rounds, repetitions = _report(context, "pipeline",
                                          "bench-pipeline", pipeline_label)
    report.method.append(
        "sender: one loop of the client's worker, ACKs of the burst before "
        "included; receiver: one loop of the hub's, its ACK included. seal and"
        " open: the bare cryptography of the same records, in between. "
        "'super-frames': TCP inside in frames of 64 KiB, records outside as "
        "well; 'offload': the outside only; 'ring' and 'memif': single frames,"
        " checksums by software.")
    rows = []
    for row in _rows(rounds, repetitions,
                     ("sender", "seal", "receiver", "open")):
        for key, above, below in (("sending", "seal", "sender"),
                                  ("receiving", "open", "receiver")):
            row[key] = str(quotient(rounds, row["name"], above, below))
        rows.append(row)
    report.tables.append(
        Table("pipeline", [("name", "ports, packets, code", ""),
                           ("sender", "sender", ".0f"),
                           ("seal", "seal alone", ".0f"),
                           ("sending", "seal/sender", ""),
                           ("receiver", "receiver", ".0f"),
                           ("open", "open alone", ".0f"),
                           ("receiving", "open/receiver", ""),
                           ("kept", "kept", ""), ("total", "of", "")], rows,
              "sender", "TSC cycles per packet"))
    name = "ring, super-frames, 1400 B, none"
    report.targets.append(
        Target("receiver, no loss, 1400 B, ring: open alone / pipeline", 0.92,
               quotient(rounds, name, "open", "receiver").value))
    return report


def scale_label(block):
    routes = f", {block['routes']} routes" if block["routes"] else ""
    return f"{block['peers']} peers{routes}"


def scale(context):
    report, rounds, repetitions = _report(context, "scale", "bench-scale",
                                          scale_label)
    report.method.append(
        "Packets of 1400 B over rings, on 8 peers in turn (one peer: on that "
        "one). Every peer has a lane with keys and windows at both ends and "
        "has opened a record. memory: what the rig added to the resident set,"
        " both ends; the first also what the process shares.")
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
            Target(f"10 000 peers against 1, {figure}", 1.15,
                   rounds.ratio(figure, "10000 peers", "1 peers").value,
                   at_most=True))
    return report


def workers(context):
    report, rounds, repetitions = _report(context, "workers", "bench-workers",
                                          lambda block: "two workers")
    report.method[:] = [
        "Pinned threads, each with a client and a hub over rings and a peer "
        "of its own: one of them alone and both at once, in turns, some "
        "milliseconds each, kept when both CPUs were quiet before and after. "
        "Packets of 1400 B per 1000 TSC cycles."]
    row = next(_rows(rounds, repetitions, ("one", "two")))
    speed = quotient(rounds, row["name"], "two", "one")
    row["ratio"] = str(speed)
    report.tables.append(
        Table("workers", [("name", "", ""), ("one", "one", ".3f"),
                          ("two", "two", ".3f"), ("ratio", "two/one", ""),
                          ("kept", "kept", ""), ("total", "of", "")], [row]))
    report.targets.append(
        Target("two workers against one, two peers, rings", 1.85,
               speed.value))
    return report


def micro(context):
    report = Report("micro", context.facts)
    report.method.append(
        "Google Benchmark; repetitions of at most 100 µs pass the gate, 25 "
        "kept of each; the median, in TSC cycles of one call.")
    path = context.build / "tests/bench/bench-micro"
    words = [str(path), "--benchmark_format=json"]
    report.commands["bench-micro"] = [" ".join(words)]
    text = run(*words, stderr=subprocess.DEVNULL).stdout
    report.raw = json.loads(text)["benchmarks"]
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
