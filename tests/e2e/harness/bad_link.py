"""hub and client on one subnet, joined by a link that misbehaves by seed."""

import json
import signal
import subprocess

from harness.gateway import BUILD
from harness.topology import Segment


class BadLink(Segment):
    """`settings` are bad_link's flags by name: delay_ms=25, loss=3, seed=1."""

    def __init__(self, **settings):
        super().__init__()
        flags = []
        for name, value in settings.items():
            flags += [f"-{name.replace('_', '-')}", value]
        self._process = self.wire.popen(BUILD / "tests/support/bad_link", "-a",
                                        "hub", "-b", "client", *flags,
                                        stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def counts(self):
        """What happened to the frames so far, for each direction."""
        self._process.send_signal(signal.SIGUSR1)
        return json.loads(self._process.stdout.readline())

    def delete(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        super().delete()
