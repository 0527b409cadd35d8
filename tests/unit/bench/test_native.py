"""What programs print, as rounds, ratios and reports."""

import json
import pathlib
import types

import pytest

from suite import native


def line(name, kept=25, **figures):
    return json.dumps({"name": name, "complete": kept >= 25, "kept": kept,
                       "total": 30, **figures})


def parsed(*lines):
    return native.parse("\n".join(["noise", *lines]),
                        lambda block: block["name"])


def test_blocks_become_rounds_in_order():
    rounds, repetitions = parsed(line("a", sender=10), line("b", sender=20),
                                 line("a", sender=30))
    assert native.names(rounds) == ["a", "b"]
    assert [one.number for one in rounds.of("a")] == [0, 1]
    assert rounds.median("a", "sender") == 20
    assert repetitions["a"] == {"kept": 50, "total": 60}


def test_a_block_that_kept_too_little_does_not_count():
    rounds, _ = parsed(line("a", sender=10), line("a", kept=24, sender=90),
                       line("a", kept=0))
    assert rounds.median("a", "sender") == 10


def test_quotient_within_a_row():
    rounds, _ = parsed(*[line("a", seal=i, sender=4 * i)
                         for i in range(1, 12)])
    assert native.quotient(rounds, "a", "seal", "sender").value == 0.25
    few, _ = parsed(*[line("a", seal=1, sender=4)] * 9)
    assert native.quotient(few, "a", "seal", "sender").value is None


def pipeline_block(path, size, code="10+3", crypto="as the CPU is"):
    return json.dumps({"path": path, "crypto": crypto, "size": size,
                       "code": code, "complete": True, "kept": 25,
                       "total": 26, "sender": 1000.0,
                       "send_reference": 910.0, "receiver": 400.0,
                       "open_reference": 280.0})


def loss_block(path, size, crypto="as the CPU is"):
    return json.dumps({"path": path, "crypto": crypto, "size": size,
                       "code": "10+3", "retransmit": True, "complete": True,
                       "kept": 100,
                       "total": 120, "clean": 400.0, "lossy": 600.0})


def scale_block(peers, routes, cost, memory=1.5):
    return json.dumps({"peers": peers, "routes": routes, "memory_mib": memory,
                       "complete": True, "kept": 25, "total": 26, "sender": cost,
                       "receiver": cost})


def hub_control_block(row, **figures):
    return json.dumps({"row": row, "complete": True, "kept": 25, "total": 26,
                       **figures})


@pytest.fixture
def context(monkeypatch):
    """A context whose program prints what `printed` holds."""
    made = types.SimpleNamespace(facts={}, rounds=10, printed="", more={},
                                 share=lambda parts: 60.0)
    monkeypatch.setattr(native, "_run",
                        lambda context, program, parts: (
                            [program, "15"],
                            context.more.get(program, context.printed)))
    return made


_ROW = "ring, super-frames"
_OLD = "as without VAES and GFNI"


def test_pipeline_report(context):
    context.printed = "\n".join([
        pipeline_block(_ROW, 1400), pipeline_block("memif", 64),
        loss_block(_ROW, 1400), pipeline_block(_ROW, 1400, crypto=_OLD)] * 15)
    report = native.pipeline(context)
    here, losses, old, _ = report.tables
    first, second = here.rows
    assert first["name"] == "ring, super-frames, 1400 B, 10+3"
    assert first["sending"] == "0.91" and first["receiving"] == "0.70"
    assert (second["kept"], second["total"]) == (375, 390)
    assert losses.rows[0]["ratio"] == "1.50"
    assert losses.rows[0]["name"].endswith("10+3, with retransmission")
    assert "without VAES" in old.title and len(old.rows) == 1
    assert (report.kept, report.total) == (15 * 175, 15 * 198)
    assert "bench-pipeline 15" in report.commands["bench-pipeline"]


def test_pipeline_targets_stand_twice(context):
    context.printed = "\n".join([pipeline_block(_ROW, 1400),
                                 loss_block(_ROW, 1400, crypto=_OLD)] * 15)
    by_name = {one.what: one for one in native.pipeline(context).targets}
    name = ("sender 10+3, 1400 B, ring: crypto+FEC reference / pipeline "
            "cycles; ")
    assert by_name[name + "as the CPU is"].verdict == "met"
    other = by_name[name + "as on a CPU without VAES and GFNI"]
    assert other.verdict == "not stated" and "0 of 10" in other.note
    losses = by_name["receiver 10+3, 1400 B, 3 % loss: cycles over those of "
                     "no loss; with retransmission, as on a CPU without VAES and GFNI"]
    assert losses.value == 1.5 and losses.verdict == "missed"


def test_a_quotient_of_few_complete_blocks_is_refused(context):
    context.printed = "\n".join([pipeline_block(_ROW, 1400)] * 9)
    report = native.pipeline(context)
    assert report.tables[0].rows[0]["sending"] == "refused: 9 of 10 rounds"
    assert len(report.refused) == len(report.targets)


def test_scale_report(context):
    context.printed = "\n".join([scale_block(1, 0, 100.0),
                                 scale_block(10000, 0, 120.0),
                                 scale_block(10000, 1000000, 130.0)] * 15)
    context.more["bench-hub-control"] = "\n".join([
        hub_control_block("idle", busy=1e6, core=1e9),
        hub_control_block("joins", join=4e5, x25519=3e5, second=1e9)] * 15)
    report = native.scale(context)
    assert [row["name"] for row in report.tables[0].rows] == [
        "1 peers", "10000 peers", "10000 peers, 1000000 routes"]
    assert report.targets[0].value == pytest.approx(1.2)
    assert report.targets[0].verdict == "missed"
    assert [row["value"] for row in report.tables[1].rows] == [
        "0.0010", "0.75", "2500"]
    assert [one.verdict for one in report.targets[-3:]] == ["met"] * 3


@pytest.mark.parametrize("kib, verdict", [(22, "met"), (26, "missed")])
def test_what_a_client_takes_is_what_more_peers_add(context, kib, verdict):
    many = 14 + 2 * 9990 * kib / 1024
    context.printed = "\n".join([scale_block(1, 0, 100.0, 78),
                                 scale_block(10, 0, 100.0, 14),
                                 scale_block(10000, 0, 120.0, many)] * 15)
    context.more["bench-hub-control"] = ""
    memory = native.scale(context).targets[2]
    assert memory.value == pytest.approx(kib)
    assert memory.verdict == verdict


def test_a_control_thread_that_was_not_measured_is_refused(context):
    context.printed = scale_block(1, 0, 100.0)
    context.more["bench-hub-control"] = ""
    report = native.scale(context)
    assert [one.value for one in report.targets[-3:]] == [None] * 3


def test_workers_report(context):
    context.printed = "\n".join(
        json.dumps({"complete": True, "kept": 25, "total": 40, "one": 0.5,
                    "two": 0.95})
        for _ in range(15))
    report = native.workers(context)
    assert report.tables[0].rows[0]["ratio"] == "1.90"
    assert report.targets[0].verdict == "met"


def test_micro_report(context, monkeypatch):
    text = json.dumps({"benchmarks": [
        {"name": "Seal/64/iterations:25/manual_time", "cycles": 99.5,
         "kept": 25.0, "total": 31.0},
        {"name": "Encode/10/3/iterations:25/manual_time", "cycles": 300.0,
         "bare": 270.0, "ratio": 0.9, "kept": 25.0, "total": 25.0}]})
    context.build = pathlib.Path("/b")
    monkeypatch.setattr(native, "run", lambda *words, **options:
                        types.SimpleNamespace(stdout=text))
    report = native.micro(context)
    seal, encode = report.tables[0].rows
    assert seal == {"name": "Seal/64", "cycles": 99.5, "kept": 25,
                    "total": 31, "bare": None, "ratio": None}
    assert encode["ratio"] == 0.9
    assert [target.verdict for target in report.targets] == ["met"]


def test_the_worst_input_stands_beside_the_common_one(monkeypatch):
    blocks = "\n".join(json.dumps({
        "stage": "parser", "common_input": "plain", "worst_input": "crowded",
        "complete": True, "kept": 25, "total": 30, "common": 100.0,
        "worst": 450.0, "ratio": 4.5}) for _ in range(15))
    monkeypatch.setattr(native, "_run", lambda *_: (["bench-worst"], blocks))
    context = types.SimpleNamespace(facts={})
    report = native.worst(context)
    row = report.tables[0].rows[0]
    assert (row["common_input"], row["worst_input"]) == ("plain", "crowded")
    assert report.targets[0].value == 4.5
    assert report.targets[0].limit == 8 and report.targets[0].at_most
