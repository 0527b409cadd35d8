"""A contender that is up, with its namespaces and its CPU meter."""

from harness.topology import Topology
from suite import contenders


def whole_leg(namespace, device):
    namespace.run("sysctl", "-qw", f"net.ipv6.conf.{device}.accept_dad=0")
    namespace.ip("link", "set", device, "up")


def segmented_leg(namespace, device):
    """Only the hosts cut; the router is left alone, and merges nothing."""
    if device == "eth0":
        namespace.run("ethtool", "-K", device, "tso", "off", "gso", "off")
    whole_leg(namespace, device)


_LEG = {"whole": whole_leg, "segmented": segmented_leg}


class Running:

    def __init__(self, contender, leg, context):
        self.contender = contender
        self.machine = context.machine
        self.topology = None
        self.meter = None
        folder = context.folder(f"{leg}-{contender.name}")
        try:
            self.topology = Topology(leg=_LEG[leg])
            self.meter = self.machine.meter(f"{contender.name}-{leg}")
            contender.start(self.topology, folder)
            for process in contender.processes:
                self.meter.add(process.pid)
        except BaseException:
            self.stop()
            raise

    @property
    def name(self):
        return self.contender.name

    def stop(self):
        self.contender.stop()
        if self.meter is not None:
            self.machine.drop(self.meter)
        if self.topology is not None:
            self.topology.delete()


class All:
    """Those of a list that start, as a context manager; what did not start is
    in `failures`, as (name, why)."""

    def __init__(self, candidates, leg, context):
        self._candidates = context.chosen(candidates)
        self._leg = leg
        self._context = context
        self.running = []
        self.failures = []

    def __enter__(self):
        for contender in self._candidates:
            try:
                self.running.append(
                    Running(contender, self._leg, self._context))
            except (contenders.Missing, AssertionError) as error:
                self.failures.append((contender.name, str(error)))
        return self

    def __exit__(self, *_):
        for one in self.running:
            one.stop()

    def tasks(self, action):
        """For Rounds: action(one) of each that runs, by name."""
        return {one.name: (lambda one=one: action(one))
                for one in self.running}

    def describe(self, report):
        """Puts versions, command lines and failures into a report."""
        for one in self.running:
            report.versions[one.name] = one.contender.version()
            report.commands[one.name] = one.contender.commands
        report.failures += [failure for failure in self.failures
                            if failure not in report.failures]
