"""The README's commands, each as it stands there. A command that nothing here
knows how to run fails the test."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

from harness import isolation
from harness.gateway import default_socket
from harness.variant import Variant

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_INSTALLED = "/usr/local/bin"


def _commands():
    """The lines of the README's sh blocks, without sudo: we are root."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (_ROOT / "README.md").read_text(),
                        re.MULTILINE | re.DOTALL)
    return [line.removeprefix("sudo ") for block in blocks
            for line in block.splitlines() if line.strip()]


@pytest.fixture
def tree(tmp_path):
    """A copy of the sources, so that the user's own build stays as it is; what
    is installed for the test hides what the host has there."""
    copy = tmp_path / "lightweight-tunnel"
    shutil.copytree(_ROOT, copy, ignore=shutil.ignore_patterns("build*",
                                                               ".git"))
    isolation.cover(_INSTALLED)
    yield copy
    isolation.uncover(_INSTALLED)
    shutil.rmtree(copy)


class _Reader:
    """Somebody who follows the README on two hosts."""

    def __init__(self, topology, start, tree):
        self._topology = topology
        self._start = start
        self._tree = tree
        self.sides = {}

    def shell(self, command):
        done = subprocess.run(["bash", "-c", command], cwd=self._tree,
                              stdout=subprocess.PIPE, text=True, check=False,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def quickstart(self, command):
        text = self.shell(command)
        assert text.splitlines()[-2].endswith("all of it worked"), text
        for row in ("TCP client to hub", "TCP hub to client",
                    "UDP 100 Mbit/s", "round trip", "uplink"):
            assert row in text, text

    def install(self, command):
        self.shell(command)
        for program in ("lightweight-tunnel", "lwtctl"):
            assert os.access(f"{_INSTALLED}/{program}", os.X_OK)

    def gateway(self, command):
        words = shlex.split(command.replace("HUB", self._topology.hub.v4))
        mode = words[words.index("-m") + 1]
        tunnel = words[words.index("-t") + 1].split("/")[0]
        host = {"server": self._topology.hub, "client": self._topology.client}
        side = self._start(host[mode].namespace, words[1:], mode,
                           own_paths=False, program=words[0])
        side.socket = default_socket(mode, tunnel)
        self.sides[mode] = side

    def status(self, command):
        """On two hosts each has one gateway: the client's is stopped here."""
        self.sides["client"].wait_log("tunnel up")
        self.sides["server"].wait_up()
        for side in self.sides.values():
            # What "auto" chose, it says and explains.
            Variant().assert_ran(side)
            assert side.status()["uplink"]["reason"]
        assert self._topology.client.namespace.ping("10.86.27.1") == 3
        assert self._topology.hub.namespace.ping("10.86.27.2") == 3
        assert self.sides["client"].stop() == 0
        assert "10.86.27.1" in self.shell(command)

    def run(self, command):
        for pattern, action in (
            (r"scripts/quickstart\.sh", self.quickstart),
            (r"scripts/setup\.sh", self.shell),
            (r"meson setup build .*ninja -C build", self.shell),
            (r"install build/\S+ build/\S+ /usr/local/bin/", self.install),
            (r"lightweight-tunnel -m (server|client) .*", self.gateway),
            (r"lwtctl status", self.status),
        ):
            if re.fullmatch(pattern, command):
                action(command)
                return pattern
        raise AssertionError(f"README: nothing runs: {command}")


@pytest.mark.alone
def test_every_command_of_the_readme(topology, start, tree):
    reader = _Reader(topology, start, tree)
    ran = {reader.run(command) for command in _commands()}
    assert len(ran) == 6, ran


def test_unknown_command_of_a_readme_is_seen():
    with pytest.raises(AssertionError, match="nothing runs: make install"):
        _Reader(None, None, None).run("make install")
