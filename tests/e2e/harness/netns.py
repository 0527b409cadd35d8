"""One network namespace, with shorthands for what the tests do in it."""

import itertools
import os
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

    def ping(self, address, count=3, interval=0.05, size=56, timeout=2):
        """Returns how many answers came. `timeout` holds while none has come;
        after one, ping waits two round trips for the rest."""
        text = self.run("ping", "-n", "-c", count, "-i", interval, "-s", size,
                        "-W", timeout, address, check=False).stdout
        for line in text.splitlines():
            if " received" in line:
                return int(line.split(" received")[0].split()[-1])
        raise AssertionError(text)

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
