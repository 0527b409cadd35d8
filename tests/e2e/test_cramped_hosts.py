"""Hosts that give a gateway little: it starts and carries packets there all the
same, or says what it lacks. An ordinary user is test_privileges.py's."""

import os

import pytest

from harness.gateway import DAEMON, client_arguments, server_arguments

# What begins a hub that has to make do, by what it is short of.
_CRAMPED = {
    "64 descriptors": ["prlimit", "--nofile=64:64"],
    # Who may lock without bounds is not bounded.
    "64 KiB of locked memory": [
        "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock",
        "prlimit", "--memlock=65536:65536"
    ],
    "one CPU": ["taskset", "-c", str(min(os.sched_getaffinity(0)))],
    "/proc/sys that is read-only": [
        "unshare", "--mount", "sh", "-c",
        "mount --bind /proc/sys /proc/sys && "
        'mount -o remount,bind,ro /proc/sys && exec "$@"', "sh"
    ],
}


@pytest.mark.parametrize("side", ["hub", "client"])
def test_a_gateway_makes_do(topology, start, side):
    """Each in its turn, against a gateway that lacks nothing."""
    hub, client = topology.hub.namespace, topology.client.namespace
    ends = {"hub": (hub, server_arguments("10.86.27.1/24")),
            "client": (client, client_arguments(topology.hub.v4,
                                                "10.86.27.2/24"))}
    cramped_at, words = ends.pop(side)
    (other_at, other_words), = ends.values()
    other = start(other_at, other_words, "other")
    for short_of, prefix in _CRAMPED.items():
        # The same one each time, its key included.
        gateway = start(cramped_at, [*prefix[1:], DAEMON, *words], "cramped",
                        program=prefix[0])
        gateway.wait_up(20)
        other.wait_up(20)
        assert client.ping("10.86.27.1") == 3, short_of
        assert gateway.stop() == 0, short_of
        assert "EAL: " not in gateway.log(), short_of
        assert "Usage" not in gateway.log(), short_of
        if side == "client":
            other.wait_up(20, peers=0)


def test_without_sys_it_says_what_it_lacks(topology, start):
    """DPDK finds its CPUs there; its own words help nobody."""
    gateway = start(topology.hub.namespace, [
        "--mount", "sh", "-c",
        'mount -t tmpfs -o ro none /sys && exec "$@"', "sh", DAEMON,
        *server_arguments("10.86.27.1/24")
    ], "hub", program="unshare")
    assert gateway.wait_exit(10) != 0
    gateway.wait_log("this host is not ready")
    gateway.wait_log("sudo mount -t sysfs sysfs /sys")
    assert "Usage" not in gateway.log() and "EAL" not in gateway.log()
