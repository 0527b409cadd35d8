"""A machine with a systemd of its own, in the network namespace of a test:
systemd-nspawn on the host's own root, with what changes in memory."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from harness import isolation
from harness.gateway import BUILD
from harness.netns import run
from harness.wait import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
# Nothing but what services stand on: none of the host's own is started.
_TARGET = """[Unit]
Requires=sysinit.target
After=sysinit.target
AllowIsolate=yes
"""
# What a machine that nobody started yet does not have, and what would make it
# wait or mount.
_ABSENT = ("etc/fstab", "etc/machine-id", "etc/resolv.conf")


def _own_groups(label):
    """A control group for one machine, in each hierarchy that systemd may take:
    two machines in one group would end each other's services."""
    groups = dict(line.split(":", 2)[1:] for line in pathlib.Path(
        "/proc/self/cgroup").read_text().splitlines())
    made = []
    for tree, name in (("", ""), ("systemd", "name=systemd"), ("unified", "")):
        root = pathlib.Path("/sys/fs/cgroup", tree)
        if name in groups and (root / "cgroup.procs").exists():
            made.append(root / groups[name].lstrip("/") / label)
            made[-1].mkdir()
    return made


def _removed(group):
    """Whether it is; not while a process that was killed still ends in it."""
    try:
        os.rmdir(group)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


class Machine:
    """Boots at construction. `root` is its file system as the test sees it:
    that of the host, or of `tree`."""

    def __init__(self, namespace, tree="/"):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="lwtm-"))
        run("mount", "-t", "tmpfs", "tmpfs", self._folder)
        self.root = self._folder / "root"
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir()
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={tree},upperdir={self._folder}/upper,"
            f"workdir={self._folder}/work", self.root)
        for name in _ABSENT:
            (self.root / name).unlink(missing_ok=True)
        (self.root / "etc/machine-id").touch()
        (self.root / "etc/systemd/system/test.target").write_text(_TARGET)
        self._groups = _own_groups(self._folder.name)
        self._log = (self._folder / "console").open("wb")
        self._process = subprocess.Popen(
            ["systemd-nspawn", "-q", "--register=no", "--keep-unit",
             f"--directory={self.root}", "--machine=lwt-test",
             f"--network-namespace-path=/run/netns/{namespace.name}",
             "--console=pipe", "--kill-signal=SIGRTMIN+3",
             "--bind=/dev/net/tun", "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
             f"--bind-ro={REPOSITORY}", f"--bind-ro={BUILD.resolve()}",
             "--boot", "systemd.unit=test.target"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            preexec_fn=self._begin)
        try:
            self._leader = wait_until(self._find_leader, 60, "an init")
            wait_until(
                lambda: self.run("systemctl", "is-active", "test.target",
                                 check=False).stdout == "active\n", 90,
                "the machine is up")
        except BaseException:
            self.delete()
            raise

    def _begin(self):
        isolation.die_with_parent()
        for group in self._groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def _find_leader(self):
        """The process 1 in there, once it is systemd."""
        assert self._process.poll() is None, self.console()
        pid = self._process.pid
        children = pathlib.Path(
            f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            name = pathlib.Path(f"/proc/{child}/comm").read_text()
            if name == "systemd\n":
                return child
        return None

    @property
    def leader(self):
        """The process 1 in there, as the test numbers it."""
        return self._leader

    def run(self, *words, **options):
        """As root in there."""
        return run("nsenter", "-t", self._leader, "-a", "--", *words,
                   **options)

    def popen(self, namespace, *words):
        """A process in there, but with another network."""
        return namespace.popen("nsenter", "-t", self._leader, "-m", "-p",
                               "--", *words, stdout=self._log, stderr=self._log)

    @property
    def changes(self):
        """The folder of what was written in there, over the host's."""
        return self._folder / "upper"

    def differs(self, path):
        """Whether a file is not what the host has there."""
        mine, host = self.root / path[1:], pathlib.Path(path)
        return not host.is_file() or mine.read_bytes() != host.read_bytes()

    def console(self):
        return (self._folder / "console").read_text(errors="replace")

    def show(self, unit, name):
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name,
                        unit).stdout.strip()

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "json", "-u",
                        unit).stdout

    def delete(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        for top in self._groups:
            for group, _, _ in os.walk(top, topdown=False):
                wait_until(lambda group=group: _removed(group), 10,
                           f"{group} is empty")
        # Lazily: what was killed may hold them for a moment more.
        run("umount", "-l", self.root)
        run("umount", "-l", self._folder)
        shutil.rmtree(self._folder)
