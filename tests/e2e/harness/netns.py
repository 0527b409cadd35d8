"""One network namespace, with shorthands for what the tests do in it."""

import itertools
import os
import re
import socket
import subprocess
import threading

from harness import isolation

_numbers = itertools.count()


def run(*command, check=True, stderr=subprocess.STDOUT, **options):
    """Runs a command; a failure raises with what the command said."""
    done = subprocess.run([str(word) for word in command],
                          stdout=subprocess.PIPE,
                          stderr=stderr,
                          text=True,
                          check=False,
                          **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit "
                             f"{done.returncode}\n{done.stdout}")
    return done


class Namespace:
    """Made and deleted by the topology that holds it."""

    def __init__(self, label):
        self.label = label
        self.name = f"lwte-{next(_numbers)}-{label}"
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def delete(self):
        run("ip", "netns", "delete", self.name)

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, *words, **options):
        return run(*self.command(*words), **options)

    def output(self, *words):
        return self.run(*words).stdout

    def popen(self, *words, **options):
        return subprocess.Popen(self.command(*words),
                                preexec_fn=isolation.die_with_parent,
                                **options)

    def ip(self, *words):
        return run("ip", "-n", self.name, *words).stdout

    def sysctl(self, **settings):
        for name, value in settings.items():
            key = name.replace("__", ".")
            self.run("sysctl", "-qw", f"{key}={value}")

    def nft(self, rules):
        self.run("nft", "-f", "-", input=rules)

    def ping(self, address, count=3, size=56, timeout=2):
        """Asks `count` times, each when the one before is answered or given
        up; returns how many answers came."""
        return sum(
            self.run("ping", "-n", "-c", 1, "-s", size, "-W", timeout, address,
                     check=False).returncode == 0 for _ in range(count))

    def ping_burst(self, address, count, interval):
        """The same without waiting for answers, but two round trips for the
        last: under load an answer may come too late to be counted."""
        text = self.run("ping", "-n", "-q", "-c", count, "-i", interval,
                        address, check=False).stdout
        return int(re.search(r"(\d+) received", text).group(1))

    def inside(self, action):
        """Returns action(), called in a thread that lives in here."""
        result = []

        def body():
            fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
            try:
                isolation.enter_network(fd)
            finally:
                os.close(fd)
            result.append(action())

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        return result[0]

    def packet_socket(self, device):
        """A raw socket bound to `device` in here, usable from anywhere."""

        def make():
            packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                   socket.htons(0x0003))
            packet.bind((device, 0))
            return packet

        return self.inside(make)
