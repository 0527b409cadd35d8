"""Links that misbehave by seed: a wire between two devices, and hub and client
on one subnet joined by one."""

import json
import signal
import subprocess

from harness.gateway import BUILD, cpu_seconds
from harness.topology import Segment


class BadWire:
    """Joins devices `a` and `b` of a namespace. `settings` are bad_link's flags
    by name: delay_ms=25, loss=3, seed=1."""

    def __init__(self, namespace, a, b, **settings):
        flags = []
        for name, value in settings.items():
            flags += [f"-{name.replace('_', '-')}", value]
        self._process = namespace.popen(BUILD / "tests/support/bad_link", "-a",
                                        a, "-b", b, *flags,
                                        stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def counts(self):
        """What happened to the frames so far, for each direction."""
        self._process.send_signal(signal.SIGUSR1)
        return json.loads(self._process.stdout.readline())

    def cpu_seconds(self):
        """What its process has used so far."""
        return cpu_seconds(self._process.pid)

    def end(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class BadLink(Segment):

    def __init__(self, **settings):
        super().__init__()
        self._joint = BadWire(self.wire, "hub", "client", **settings)

    def change(self, **settings):
        """Another link in place of this one; what is under way is lost."""
        self._joint.end()
        self._joint = BadWire(self.wire, "hub", "client", **settings)

    def counts(self):
        return self._joint.counts()

    def delete(self):
        self._joint.end()
        super().delete()
