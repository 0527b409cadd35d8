"""Traffic that goes on while something happens: a ping each 100 ms whose
longest gap is looked at afterwards, and one TCP connection that sends until it
is told to end and proves its bytes."""

import hashlib
import random
import re
import signal
import socket
import subprocess
import threading
import time

from harness.wait import wait_until

_INTERVAL_S = 0.1
_CHUNK = 4096


class Pings:
    """From the first answer, which construction waits for, to end()."""

    def __init__(self, namespace, address):
        self._process = namespace.popen("ping", "-n", "-D", "-i", _INTERVAL_S,
                                        address, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self._answered = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        wait_until(lambda: self._answered, 10, f"{address} answers")

    def _read(self):
        for line in self._process.stdout:
            if found := re.match(r"\[(\d+\.\d+)\] \d+ bytes from", line):
                self._answered.append(float(found.group(1)))

    def end(self, timeout=10):
        """Waits until it is answered, and returns the longest time in seconds
        without an answer so far."""
        now = time.time()
        try:
            wait_until(lambda: self._answered[-1] > now, timeout, "an answer")
        finally:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._reader.join()
        return max(after - before for before, after in zip(
            self._answered, self._answered[1:]))


class Connection:
    """One of the kernels' own, from client to server at `address`."""

    def __init__(self, server, client, address, port=5566):
        listener = server.inside(
            lambda: socket.create_server((address, port)))
        self._out = client.inside(
            lambda: socket.create_connection((address, port), 10))
        with listener:
            self._in, _ = listener.accept()
        self._out.settimeout(30)
        self._in.settimeout(30)
        self._sent, self._got = hashlib.sha256(), hashlib.sha256()
        self._error = None
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(body,))
                         for body in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _guard(self, body):
        try:
            body()
        except OSError as error:
            self._error = error

    def _send(self):
        source = random.Random(1)
        while not self._ending.wait(0.01):
            chunk = source.randbytes(_CHUNK)
            self._out.sendall(chunk)
            self._sent.update(chunk)
        self._out.shutdown(socket.SHUT_WR)

    def _receive(self):
        while chunk := self._in.recv(1 << 16):
            self._got.update(chunk)

    def end(self):
        """Fails unless it lived through all and every byte came."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self._out.close()
        self._in.close()
        if self._error:
            raise AssertionError("the connection died") from self._error
        assert self._sent.digest() == self._got.digest(), "the bytes differ"
