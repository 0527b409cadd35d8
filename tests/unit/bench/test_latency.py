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


_NAMES = {"bare_relay": "bare-relay", "lwt_af_packet": "lwt-af_packet",
          "lwt_af_packet_off": "lwt-af_packet-off",
          "lwt_af_packet_auto": "lwt-af_packet-auto"}


def rounds_of(**medians):
    rounds = Rounds()
    for name, (p50, p99) in medians.items():
        for number in range(10):
            rounds.all.append(
                Round(_NAMES[name], number,
                      {"p50_us": p50, "p99_us": p99, "p99_ms": p99 / 1000,
                       "lost": 1, "times": [p50, p99]}, 100, 0.0))
    rounds.judge()
    return rounds


def test_idle_targets_are_ratios_to_the_bare_relay():
    rounds = rounds_of(bare_relay=(100, 200), lwt_af_packet_off=(120, 300))
    by_name = {one.what: one for one in latency._targets("idle", rounds)}
    assert len(by_name) == 6
    what = "round trip, idle, {}, over a bare two-relay forwarder's; FEC off"
    p50, p99 = (by_name[what.format(key)] for key in ("p50", "p99"))
    assert p50.value == pytest.approx(1.2) and p50.verdict == "met"
    assert p99.value == pytest.approx(1.5) and p99.verdict == "missed"


def test_target_at_half_load_is_a_time():
    rounds = rounds_of(bare_relay=(100, 200), lwt_af_packet_auto=(120, 1900))
    off, _, auto = latency._targets("half", rounds)
    assert auto.value == 1.9 and auto.verdict == "met"
    assert off.verdict == "not stated" and "0 of 10" in off.note


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
