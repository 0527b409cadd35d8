"""This version and earlier ones in one tunnel, each in both places, under
LWT_E2E=full: their programs are built from the commits that
tests/support/versions/recorded names. Always run, against what those versions
said and wrote: unit-support-versions."""

import os
import subprocess

import pytest

from harness.gateway import DAEMON, client_arguments, server_arguments
from harness.machine import REPOSITORY
from harness.netns import run
from harness.traffic import transfer
from harness.wait import wait_until

_RECORDED = REPOSITORY / "tests/support/versions/recorded"
_VERSIONS = sorted(path.name for path in _RECORDED.iterdir())
_FEC = ["-fec", "10:3"]


@pytest.fixture(scope="module", params=_VERSIONS)
def earlier(request, tmp_path_factory):
    """(version, its daemon)"""
    commit = (_RECORDED / request.param / "commit").read_text().strip()
    tree = tmp_path_factory.mktemp(request.param)
    with subprocess.Popen(["git", "-C", REPOSITORY, "archive", commit],
                          stdout=subprocess.PIPE) as archive:
        run("tar", "-C", tree, "-x", stdin=archive.stdout)
    assert archive.returncode == 0, (
        f"the commit {commit} of version {request.param} is not in this clone: "
        "git fetch --unshallow")
    run("meson", "setup", tree / "build", tree, "--buildtype=plain",
        "-Doptimization=1")
    run("ninja", "-C", tree / "build", "lightweight-tunnel")
    return request.param, tree / "build/lightweight-tunnel"


def _rotate(hub):
    wait_until(lambda: hub.lwtctl("rotate-key", check=False).returncode == 0,
               20, "a rotation begins")
    wait_until(lambda: "1 of 1 connected" in hub.lwtctl("rotation").stdout, 20,
               "the client has the key")


@pytest.fixture(params=["hub", "client"])
def pair(request, topology, start, earlier):
    """A hub and a client, of which one is the earlier version."""
    programs = {"hub": DAEMON, "client": DAEMON, request.param: earlier[1]}
    hub = start(topology.hub.namespace,
                [*server_arguments("10.0.0.1/24"), *_FEC], "hub",
                program=programs["hub"])
    client = start(topology.client.namespace,
                   [*client_arguments(topology.hub.v4, "10.0.0.2/24"), *_FEC],
                   "client", program=programs["client"])
    for side in (hub, client):
        side.wait_up()
    return {"hub": hub, "client": client}, request.param


def _two_versions_speak(topology, pair, earlier):
    sides, old = pair
    hub, client = sides["hub"], sides["client"]
    other = client if old == "hub" else hub
    wait_until(lambda: f": {earlier[0]}" in other.lwtctl("version").stdout, 20,
               "the other end's version")
    inside = topology.client.namespace, topology.hub.namespace
    for sender, receiver, address in ((*inside, "10.0.0.1"),
                                      (*reversed(inside), "10.0.0.2")):
        assert sender.ping(address) == 3
        transfer(sender, receiver, address, 4 << 20)
    _rotate(hub)
    for side in (hub, client):
        fec = side.status()["peers"][0]["fec"]
        assert fec["parities_sent"] > 0 and fec["parities_received"] > 0
    # The earlier one is upgraded, and goes on from its state.
    assert sides[old].stop() == 0
    sides[old].program = DAEMON
    sides[old].start()
    for side in (hub, client):
        side.wait_up(30)
    assert topology.client.namespace.ping("10.0.0.1") == 3
    assert not sides[old].log().count("later version")
    # And goes back, to what the later one left.
    assert sides[old].stop() == 0
    sides[old].program = earlier[1]
    sides[old].start()
    for side in (hub, client):
        side.wait_up(30)
    assert topology.client.namespace.ping("10.0.0.1") == 3


if os.environ.get("LWT_E2E") == "full":
    test_two_versions_speak = _two_versions_speak
