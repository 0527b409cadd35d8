"""System calls of one thread of a gateway, counted by strace."""

import pathlib
import signal
import subprocess

from harness.wait import wait_until


def worker_threads(side):
    """Thread ids of a gateway's workers."""
    found = []
    for task in pathlib.Path(f"/proc/{side.pid}/task").iterdir():
        if (task / "comm").read_text().startswith("lwt-worker"):
            found.append(int(task.name))
    assert found, "no thread is called lwt-worker"
    return sorted(found)


def parse(text):
    """Name -> calls, of what `strace -c` prints."""
    calls = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[0][0].isdigit() and (
                fields[-1] != "total"):
            calls[fields[-1]] = int(fields[3])
    return calls


class SystemCalls:
    """Counts from construction to stop(), of one thread, or with `all_threads`
    of all that the process has and makes."""

    def __init__(self, thread, folder, all_threads=False):
        self._out = folder / f"{thread}.strace"
        self._log = folder / f"{thread}.strace.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["strace", "-c", "-o", self._out,
                 *(["-f"] if all_threads else []), "-p", str(thread)],
                stderr=log)
        wait_until(lambda: "attached" in self._log.read_text(), 10,
                   "strace attaches")

    def stop(self):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)
        return parse(self._out.read_text())
