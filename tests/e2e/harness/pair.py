"""A hub and a client that run from files, and what is asked of them while
traffic flows."""

import contextlib
import re
import signal
import tempfile

from harness.gateway import KEY, PORT

HUB = {
    "mode": '"server"',
    "local_addr": f'"0.0.0.0:{PORT}"',
    "tunnel_addr": '"10.0.0.1/24"',
    "key": f'"{KEY}"',
}
_CLIENT = {"mode": '"client"', "tunnel_addr": '"10.0.0.2/24"',
           "key": f'"{KEY}"'}


class Settings:
    """A gateway's file; what is under a table goes to the end of it."""

    def __init__(self, path, settings):
        self.path = path
        self.settings = dict(settings)
        self.tail = ""
        self.write()

    def write(self, **changes):
        """Keys of a table are spelled TABLE__KEY; None takes one out."""
        for name, value in changes.items():
            self.settings[name] = value
        lines, tables = [], {}
        for name, value in self.settings.items():
            if value is None:
                continue
            table, _, key = name.rpartition("__")
            (tables.setdefault(table, []) if table else lines).append(
                f"{key} = {value}")
        for table, keys in tables.items():
            lines += [f"[{table}]", *keys]
        self.path.write_text("\n".join(lines) + "\n" + self.tail)
        self.path.chmod(0o600)


class Pair:
    """A hub and a client that run from files."""

    def __init__(self, topology, start, folder, hub=None, client=None,
                 client_flags=()):
        self.topology = topology
        self.hub_file = Settings(folder / "hub.toml", {**HUB, **(hub or {})})
        self.client_file = Settings(
            folder / "client.toml", {
                **_CLIENT, "remote_addr": f'"{topology.hub.v4}:{PORT}"',
                **(client or {})
            })
        self.hub = start(topology.hub.namespace, ["-c", self.hub_file.path],
                         "hub")
        self.client = start(topology.client.namespace,
                            ["-c", self.client_file.path, *client_flags],
                            "client")
        self.client.wait_up()
        self.hub.wait_up()

    def ping(self, count=3):
        return self.topology.client.namespace.ping("10.0.0.1", count=count)


def reload(gateway, status=0):
    done = gateway.lwtctl("reload", check=False)
    assert done.returncode == status, done.stdout
    return done.stdout


@contextlib.contextmanager
def no_ping_lost(namespace, address="10.0.0.1"):
    """Pings every 20 ms meanwhile, of which none is lost. The last ones are
    on their way when it ends."""
    # A pipe that nobody reads would stop it when full.
    with tempfile.TemporaryFile("w+") as output:
        pinging = namespace.popen("ping", "-n", "-i", "0.02", "-W", "5",
                                  address, stdout=output)
        try:
            yield
        finally:
            pinging.send_signal(signal.SIGINT)
            pinging.wait(20)
        output.seek(0)
        text = output.read()
    sent = int(re.search(r"(\d+) packets transmitted", text).group(1))
    seen = {int(n) for n in re.findall(r"bytes from \S+ icmp_seq=(\d+)", text)}
    assert seen, text[-300:]
    lost = set(range(1, max(seen) + 1)) - seen
    assert not lost and sent - len(seen) <= 50, (lost, text[-300:])
