"""tcpdump at an interface, from when it listens until stop()."""

import re
import signal
import subprocess

from harness.netns import run
from harness.wait import wait_until


class Capture:

    def __init__(self, namespace, device, folder, expression="tcp"):
        self.path = folder / f"{device}.pcap"
        self._log = folder / f"{device}.tcpdump"
        with self._log.open("wb") as log:
            self._process = namespace.popen("tcpdump", "-n", "-U", "-Z",
                                            "root", "--immediate-mode", "-B",
                                            "65536", "-i", device, "-w",
                                            self.path, expression, stderr=log,
                                            stdout=subprocess.DEVNULL)
        wait_until(lambda: "listening on" in self._log.read_text(), 10,
                   "tcpdump listens")

    def stop(self):
        """Ends the capture once the file has come to rest; fails when the
        kernel lost frames of it."""
        sizes = []

        def at_rest():
            sizes.append(self.path.stat().st_size)
            return sizes[-10:] == [sizes[-1]] * 10

        wait_until(at_rest, 30, "the capture comes to rest")
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)
        lost = re.search(r"(\d+) packets? dropped by kernel",
                         self._log.read_text())
        assert lost and lost.group(1) == "0", self._log.read_text()
        return self

    def frames(self):
        return int(run("capinfos", "-M", "-c", "-T", "-r", self.path)
                   .stdout.split()[-1])

    def bad_checksums(self):
        """Lines of tcpdump that complain of an IP or TCP checksum."""
        text = run("tcpdump", "-n", "-vv", "-r", self.path).stdout
        return [line for line in text.splitlines()
                if "incorrect" in line or "bad cksum" in line]

    def fields(self, *names, condition=""):
        """One list of tshark's field values a frame."""
        command = ["tshark", "-r", self.path, "-T", "fields"]
        for name in names:
            command += ["-e", name]
        if condition:
            command += ["-Y", condition]
        text = run(*command, stderr=subprocess.DEVNULL).stdout
        return [line.split("\t") for line in text.splitlines()]
