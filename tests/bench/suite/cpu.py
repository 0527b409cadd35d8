"""CPU time of programs, and of everything else on the machine meanwhile."""

import os
import pathlib

from harness.wait import wait_until

_CPUACCT = pathlib.Path("/sys/fs/cgroup/cpuacct")
# Version 2 alone, or beside version 1.
_UNIFIED = (pathlib.Path("/sys/fs/cgroup"),
            pathlib.Path("/sys/fs/cgroup/unified"))
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# user nice system irq softirq steal, by their place in a line of /proc/stat.
_BUSY_FIELDS = (1, 2, 3, 6, 7, 8)


def stat_seconds(text):
    """CPU seconds of a process from the text of its /proc/PID/stat."""
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def busy_seconds(text):
    """Seconds all CPUs were busy, or stolen, from the text of /proc/stat."""
    fields = text.split("\n", 1)[0].split()
    return sum(int(fields[i]) for i in _BUSY_FIELDS) / _TICKS_PER_S


class CgroupMeter:
    """Nanosecond accounting by a cgroup of version 1."""

    method = "cgroup v1 cpuacct"

    def __init__(self, label, root=_CPUACCT):
        self.root = root
        self._path = root / f"lwtb-{os.getpid()}-{label}"
        self._path.mkdir()

    def add(self, pid):
        (self._path / "cgroup.procs").write_text(str(pid))

    def seconds(self):
        return int((self._path / "cpuacct.usage").read_text()) / 1e9

    def delete(self):
        wait_until(lambda: not (self._path / "cgroup.procs").read_text(), 5,
                   f"{self._path} is empty")
        self._path.rmdir()


class UnifiedMeter(CgroupMeter):
    """Microsecond accounting by a cgroup of version 2: every one has it, with
    no controller switched on."""

    method = "cgroup v2 cpu.stat"

    def __init__(self, label, root=None):
        super().__init__(label, root or unified_root())

    def seconds(self):
        return usage_seconds((self._path / "cpu.stat").read_text())


def usage_seconds(text):
    """Of the text of a cpu.stat."""
    fields = dict(line.split() for line in text.splitlines())
    return int(fields["usage_usec"]) / 1e6


def unified_root():
    """Where cgroups of version 2 are, and writable, or None."""
    for root in _UNIFIED:
        if (root / "cgroup.controllers").exists() and os.access(
                root / "cgroup.procs", os.W_OK):
            return root
    return None


class ProcMeter:
    """Ticks of /proc/PID/stat: 10 ms steps, without children."""

    method = "/proc/PID/stat"

    def __init__(self, label):
        del label
        self._pids = []

    def add(self, pid):
        self._pids.append(pid)

    def seconds(self):
        return sum(
            stat_seconds(pathlib.Path(f"/proc/{pid}/stat").read_text())
            for pid in self._pids)

    def delete(self):
        self._pids = []


def meter_class():
    """The finest that this host offers."""
    if os.access(_CPUACCT / "cgroup.procs", os.W_OK):
        return CgroupMeter
    return UnifiedMeter if unified_root() else ProcMeter


def softirq_seconds():
    """CPU time of the kernel's own threads that carry packets on."""
    total = 0.0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:  # it has just ended
            continue
        if "(ksoftirqd/" in text or "(kworker/" in text:
            total += stat_seconds(text)
    return total


class Machine:
    """What the whole machine does, split into this run and all else. This
    run is the calling process and its children from now on."""

    def __init__(self):
        self._own = None
        if meter_class() is not ProcMeter:
            self._own = meter_class()("run")
            self._own.add(os.getpid())
        self._meters = []

    def meter(self, label):
        """Accounts a part of this run on its own."""
        self._meters.append(meter_class()(label))
        return self._meters[-1]

    def drop(self, meter):
        self._meters.remove(meter)
        meter.delete()

    def run_seconds(self):
        """Of all that belongs to this run, and of the kernel's threads."""
        return self._own_seconds() + softirq_seconds()

    def _own_seconds(self):
        if self._own is None:
            times = os.times()
            own = sum(times[:4])
        else:
            own = self._own.seconds()
        return own + sum(meter.seconds() for meter in self._meters)

    def foreign_seconds(self):
        """Grows by what programs of others used, on all CPUs together."""
        busy = busy_seconds(pathlib.Path("/proc/stat").read_text())
        return busy - self._own_seconds() - softirq_seconds()

    def delete(self):
        if self._own is not None:
            (self._own.root / "cgroup.procs").write_text(str(os.getpid()))
            self._own.delete()
