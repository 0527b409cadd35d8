"""Figures of a round of traffic, and the targets made of them."""

import pytest

from suite import tunnel, tunnel_report
from suite.rounds import Round, Rounds

_TCP = {"end": {"sum_received": {"bytes": 1_000_000_000},
                "sum_sent": {"seconds": 2.0}}}
_UDP = {"end": {"sum": {"bytes": 1_000_000, "packets": 1000,
                        "lost_packets": 250, "seconds": 1.0}}}


def _used(seconds):
    return {"cpu_s_per_gb": seconds, "kernel_s_per_gb": 0.5}


def test_figures_of_tcp():
    got = tunnel.figures(_TCP, False, _used(3.0), cycles=(9000, 3))
    assert got == {"goodput_mbits": pytest.approx(4000),
                   "cpu_s_per_gb": pytest.approx(3),
                   "kernel_s_per_gb": pytest.approx(0.5), "lost_share": 0,
                   "cycles_per_packet": 3000}


def test_figures_of_udp_count_what_arrived():
    got = tunnel.figures(_UDP, True, _used(3.0), cycles=None)
    assert got["goodput_mbits"] == pytest.approx(6)
    assert got["lost_share"] == pytest.approx(0.25)
    assert "cycles_per_packet" not in got


def test_nothing_received():
    nothing = {"end": {"sum": {"bytes": 0, "packets": 0, "lost_packets": 0,
                               "seconds": 1.0}}}
    got = tunnel.figures(nothing, True, _used(1.0), cycles=(5, 0))
    assert got["goodput_mbits"] == 0
    assert got["cpu_s_per_gb"] is None


class Named:

    def __init__(self, name):
        self.name = name


_NAMES = ("lwt-af_packet-10+3", "lwt-af_xdp-10+3", "openvpn-udp",
          "openvpn-tcp", "lwt-af_packet-off")


def rounds_of(goodputs, cpus, count=10):
    rounds = Rounds()
    for name, goodput, cpu in zip(_NAMES, goodputs, cpus):
        for number in range(count):
            rounds.all.append(
                Round(name, number, {"goodput_mbits": goodput,
                                     "cpu_s_per_gb": cpu}, 100, 0.0))
    rounds.judge()
    return rounds


def targets(leg, rounds):
    made = tunnel_report._targets(leg, rounds, [Named(name)
                                                for name in _NAMES])
    return {one.what: one for one in made}


_GOODPUT = "TCP goodput over OpenVPN's, FEC {}, {}"
_CPU = "CPU per GB over OpenVPN's, FEC 10+3, whole"


def test_target_takes_the_better_uplink_and_the_better_openvpn():
    made = targets("whole", rounds_of((26, 13, 1, 2, 20),
                                      (1, 2, 9, 10, 1)))
    coded = made[_GOODPUT.format("10+3", "whole")]
    assert coded.value == 13 and coded.verdict == "met"
    assert coded.note == "lwt-af_packet-10+3"
    cpu = made[_CPU]
    assert cpu.value == pytest.approx(1 / 9) and cpu.verdict == "met"
    off = made[_GOODPUT.format("off", "whole")]
    assert off.value == 10 and off.verdict == "missed"


def test_target_of_segmented_legs_is_about_goodput_only():
    made = targets("segmented", rounds_of((5, 4, 1, 1, 6), (1,) * 5))
    assert made[_GOODPUT.format("10+3", "segmented")].verdict == "met"
    assert made[_GOODPUT.format("off", "segmented")].verdict == "met"
    assert len(made) == 2


def test_too_few_rounds_state_nothing():
    made = targets("whole", rounds_of((26, 13, 1, 2, 20), (1,) * 5, count=9))
    assert {one.verdict for one in made.values()} == {"not stated"}
    assert all("9 of 10" in one.note for one in made.values())
