"""A gateway process under test, and its lwtctl."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

from harness.netns import run
from harness.topology import bracketed
from harness.variant import Variant
from harness.wait import wait_until

KEY = "my-secret-password-2024"
PORT = 9000
_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("LWT_BUILD_DIR", _REPOSITORY / "build"))
DAEMON = BUILD / "lightweight-tunnel"
LWTCTL = BUILD / "lwtctl"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Gateway:
    """Starts at construction. `folder` is short and empty: logs, state and
    socket go there (a socket's path has 107 bytes at most)."""

    def __init__(self, namespace, folder, arguments, label, own_paths=True,
                 program=DAEMON):
        self.namespace = namespace
        self.label = label
        self.program = program
        self.socket = folder / f"{label}.sock"
        self.state = folder / label
        self.arguments = [str(word) for word in arguments]
        if own_paths:
            self.arguments += [
                "-state-dir", str(self.state), "-control-socket",
                str(self.socket)
            ]
        self.log_path = folder / f"{label}.log"
        self.process = None
        self.start()

    def start(self):
        with self.log_path.open("ab") as log:
            self.process = self.namespace.popen(self.program, *self.arguments,
                                                stdin=subprocess.DEVNULL,
                                                stdout=log,
                                                stderr=log)
        self.started = time.monotonic()

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, timeout=10):
        """Waits for a line that matches, and returns the match."""
        return wait_until(lambda: re.search(pattern, self.log()), timeout,
                          f"{self.label} logs /{pattern}/:\n{self.log()}")

    def wait_exit(self, timeout):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(
                f"{self.label} still runs after {timeout} s") from late

    def stop(self, timeout=5):
        """SIGTERM; returns the exit status."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill(self):
        """SIGKILL, as a crash would end it."""
        self.process.kill()
        self.process.wait()

    def lwtctl(self, *words, check=True):
        return run(LWTCTL, "-socket", self.socket, *words, check=check)

    def status(self):
        """None while the gateway does not answer."""
        done = self.lwtctl("status", "-json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_status(self, predicate, timeout, what):
        """Waits until predicate(status) is true; returns that status."""
        seen = [None]

        def look():
            if not self.running():
                raise AssertionError(
                    f"{self.label} exited {self.process.returncode}:\n"
                    f"{self.log()}")
            seen[0] = self.status()
            return seen[0] is not None and predicate(seen[0])

        try:
            wait_until(look, timeout, f"{self.label}: {what}")
        except AssertionError as error:
            raise AssertionError(
                f"{error}\nlast status: {json.dumps(seen[0])}\n"
                f"log:\n{self.log()}") from error
        return seen[0]

    def wait_up(self, timeout=15, peers=1):
        return self.wait_status(
            lambda status: sum(peer["state"] == "up"
                               for peer in status["peers"]) == peers, timeout,
            f"{peers} peer(s) up")

    def drops(self):
        return named(self.status()["drops"])

    def counters(self):
        return named(self.status()["counters"])

    def cpu_seconds(self):
        """CPU time used so far by all of its threads."""
        return cpu_seconds(self.pid)


def cpu_seconds(pid):
    """CPU time used so far by all threads of a process."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def default_socket(mode, tunnel):
    """Where a gateway that was not told listens for lwtctl."""
    return f"/run/lightweight-tunnel/{mode}-{tunnel}/control.sock"


def named(counts):
    """Name -> count of a list of drops or counters."""
    if isinstance(counts, dict):
        return counts
    return {entry["name"]: entry["count"] for entry in counts}


def server_arguments(tunnel, variant=Variant(), listen="0.0.0.0", port=PORT,
                     key=KEY):
    return ["-m", "server", "-l", f"{bracketed(listen)}:{port}", "-t", tunnel,
            "-k", key, *variant.arguments()]


def client_arguments(remote, tunnel, variant=Variant(), port=PORT, key=KEY):
    return ["-m", "client", "-r", f"{bracketed(remote)}:{port}", "-t", tunnel,
            "-k", key, *variant.arguments()]
