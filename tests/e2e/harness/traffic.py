"""Traffic through the tunnel: iperf3, and a transfer that proves its bytes."""

import json
import pathlib
import subprocess
import sys

from harness.wait import wait_until

_BULK = pathlib.Path(__file__).with_name("bulk.py")


class Iperf:
    """Runs against a one-shot server; result() waits for the end. Without
    `seconds` the flags say how much."""

    def __init__(self, server, client, address, *flags, seconds=5):
        self._timeout = seconds + 20 if seconds else 120
        self._server = server.popen("iperf3", "-s", "-1", "-J",
                                    stdout=subprocess.DEVNULL)
        wait_until(
            lambda: server.output("ss", "-Hltn", "sport = :5201").strip(), 5,
            "iperf3 listens")
        duration = ("-t", seconds) if seconds else ()
        self._client = client.popen("iperf3", "-c", address, "-J", "-i",
                                    "0.5", *duration, *flags,
                                    stdout=subprocess.PIPE, text=True)

    def goes_on(self):
        return self._client.poll() is None

    def stop(self):
        for process in (self._client, self._server):
            process.kill()
            process.wait()

    def result(self):
        text, _ = self._client.communicate(timeout=self._timeout)
        self._server.kill()
        self._server.wait()
        report = json.loads(text)
        assert "error" not in report, report.get("error")
        return report


def mbits(report):
    """What the receiver of a TCP run got, in Mbit/s."""
    return report["end"]["sum_received"]["bits_per_second"] / 1e6


def longest_silence(report):
    """Seconds of the longest run of intervals without a byte."""
    longest = current = 0.0
    for interval in report["intervals"]:
        figures = interval["sum"]
        current = 0.0 if figures["bytes"] else current + figures["seconds"]
        longest = max(longest, current)
    return longest


def transfer(sender, receiver, address, size, seed=1, timeout=60, port=5555):
    """Sends `size` seeded bytes over TCP and compares both ends' SHA-256."""
    sink = receiver.popen(sys.executable, _BULK, "receive", address, port,
                          stdout=subprocess.PIPE, text=True)
    try:
        assert sink.stdout.readline() == "ready\n"
        source = sender.run(sys.executable, _BULK, "send", address, port,
                            size, seed, timeout=timeout)
        got, _ = sink.communicate(timeout=timeout)
    finally:
        sink.kill()
        sink.wait()
    assert got.split() == source.stdout.split(), "the bytes differ"
    assert got.split()[0] == str(size)
