"""Percentiles, targets of round trips, and the memory of a process."""

import pytest

from suite import latency, start
from suite.rounds import Round, Rounds


def test_percentiles():
    ordered = list(range(1, 101))
    assert latency.percentile(ordered, 0.5) == 51
    assert latency.percentile(ordered, 0.99) == 100
    assert latency.percentile([7], 0.999) == 7


def test_figures_set_lost_ones_aside():
    got = latency.figures(["30.0", "lost", "10.0", "20.0"])
    assert got["lost"] == 1
    assert got["times"] == [10.0, 20.0, 30.0]
    assert got["p50_us"] == 20.0
    assert "p50_us" not in latency.figures(["lost"])


def rounds_of(**medians):
    rounds = Rounds()
    for name, (p50, p99) in medians.items():
        for number in range(10):
            rounds.all.append(
                Round(name.replace("_", "-", 1), number,
                      {"p50_us": p50, "p99_us": p99, "lost": 1,
                       "times": [p50, p99]}, 100, 0.0))
    rounds.judge()
    return rounds


def test_idle_targets_are_ratios_to_the_bare_relay():
    rounds = rounds_of(bare_relay=(100, 200), lwt_af_packet=(120, 300))
    p50, p99 = latency._targets("idle", rounds)
    assert p50.value == pytest.approx(1.2) and p50.verdict == "met"
    assert p99.value == pytest.approx(1.5) and p99.verdict == "missed"


def test_target_at_half_load_is_a_time():
    rounds = rounds_of(bare_relay=(100, 200), lwt_af_packet=(120, 1900))
    only, = latency._targets("half", rounds)
    assert only.value == 1900 and only.verdict == "met"


def test_table_pools_the_rounds_for_the_last_percentile():
    rounds = rounds_of(bare_relay=(100, 200), lwt_af_packet=(120, 300))
    rounds.all[3].figures["times"].append(9000)
    bare, ours = latency._table("trial", rounds,
                                ["bare-relay", "lwt-af_packet"]).rows
    assert bare["p999_us"] == 9000
    assert ours["p999_us"] == 300
    assert ours["p50_ratio"] == "1.20"
    assert ours["lost"] == 10


def test_resident_set():
    text = "Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   51200 kB\nThreads:\t4\n"
    assert start.resident_mib(text) == 50
