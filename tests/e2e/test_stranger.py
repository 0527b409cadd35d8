"""From nothing to a service: the lines of docs/service.md as they stand there.
With LWT_E2E=full from the first line on, on a Debian that has nothing but what
debootstrap puts there; and the container recipe, step by step and by buildah."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from harness import isolation
from harness.gateway import BUILD, PORT
from harness.machine import REPOSITORY, Machine
from harness.netns import run
from harness.wait import wait_until

UNIT = "lightweight-tunnel@office"
MOST_COMMANDS = 8
MOST_SECONDS = 600


def _outside():
    """Where apt reaches its mirror: the tests have left the host's network."""
    return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{isolation.outside[0]}",
            "--")


def _commands():
    page = (REPOSITORY / "docs/service.md").read_text()
    section = page.split("## From nothing to a service\n")[1]
    block = re.search(r"^```sh\n(.*?)^```$", section, re.M | re.S).group(1)
    return [line.removeprefix("sudo ") for line in block.splitlines()]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    run(REPOSITORY / "scripts/package.sh", "-o", folder, "-build", BUILD)
    made, = folder.glob("*.deb")
    return made


def _follow(topology, machine, folder, commands, by_apt):
    """`by_apt` runs those that install packages. Both sides run at the end, the
    client by the file that was written for it."""
    begun = time.monotonic()
    for command in commands:
        command = f"cd {folder} && " + command.replace(
            "hub.example.com:9000", f"{topology.client.v4}:{PORT}")
        if "scripts/setup.sh" in command or "apt install " in command:
            by_apt(command)
        else:
            machine.run("sh", "-c", command)
        print(f"{time.monotonic() - begun:5.0f} s  {command}")
    assert time.monotonic() - begun < MOST_SECONDS
    assert machine.show(UNIT, "ActiveState") == "active"
    client = topology.hub
    settings = pathlib.Path("/run/stranger.toml")
    settings.write_text(
        (machine.root / folder.strip("/") / "office.toml.client").read_text())
    settings.chmod(0o600)
    process = client.namespace.popen(BUILD / "lightweight-tunnel", "-c",
                                     settings)
    wait_until(lambda: client.namespace.ping("10.86.27.1", count=1,
                                             timeout=1) == 1, 30,
               "the client's tunnel carries")
    process.terminate()
    assert process.wait(10) == 0


def test_from_nothing_to_a_service(topology, package):
    """From the package on."""
    commands = _commands()
    assert len(commands) <= MOST_COMMANDS
    assert commands[:2] == ["scripts/setup.sh -package", "scripts/package.sh"]
    machine = Machine(topology.client.namespace)
    (machine.root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
    (machine.root / "srv" / package.name).write_bytes(package.read_bytes())
    try:
        _follow(topology, machine, "/srv", commands[2:],
                lambda command: machine.run("sh", "-c", command.replace(
                    "apt install", "dpkg --install")))
    finally:
        print(machine.console())
        machine.delete()


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    """With systemd and nothing of ours."""
    tree = tmp_path_factory.mktemp("debian") / "tree"
    run(*_outside(), "debootstrap", "--variant=minbase",
        "--include=systemd,systemd-sysv,dbus,iproute2", "bookworm", tree,
        os.environ.get("LWT_MIRROR", "http://deb.debian.org/debian"))
    (tree / "etc/resolv.conf").write_text(
        pathlib.Path("/etc/resolv.conf").read_text())
    return tree


def _on_a_debian_of_its_own(topology, debian):
    """All lines, from a clone, with apt."""
    machine = Machine(topology.client.namespace, debian)
    (machine.root / "etc/resolv.conf").write_text(
        pathlib.Path("/etc/resolv.conf").read_text())
    folder = "/srv/lightweight-tunnel"
    run("git", "clone", "-q", REPOSITORY, f"{machine.root}{folder}")

    def by_apt(command):
        command = command.replace("apt install", "apt-get install -y -q")
        run(*_outside(), "nsenter", "-t", machine.leader, "-m", "-p", "--", "sh",
            "-ec", "apt-get update -q; export DEBIAN_FRONTEND=noninteractive; "
            + command)

    try:
        _follow(topology, machine, folder, _commands(), by_apt)
    finally:
        print(machine.console())
        machine.delete()


def _steps(name):
    """The recipe's instructions, with the lines that go on joined."""
    text = (REPOSITORY / "scripts/packaging" / name).read_text()
    text = re.sub(r"\\\n", " ", text)
    return [line.split(" ", 1) for line in text.splitlines()
            if line and not line.startswith("#")]


def _container(topology, package, debian, tmp_path):
    """Each instruction in a chroot, and the end of it with what the page gives
    a container: two capabilities and one device."""
    environment = {}
    tree = debian
    for word, rest in _steps("Containerfile"):
        if word == "COPY":
            (tree / rest.split()[1].strip("/") / package.name).write_bytes(
                package.read_bytes())
        elif word == "RUN":
            run(*_outside(), "chroot", tree, "sh", "-ec", rest)
        elif word == "ENV":
            environment = dict(pair.split("=") for pair in rest.split())
        elif word == "ENTRYPOINT":
            entry = re.findall(r'"([^"]*)"', rest)
        else:
            assert word in ("FROM", "VOLUME", "STOPSIGNAL"), word
    settings = tmp_path / "office.toml"
    run(BUILD / "lightweight-tunnel", "-g", settings, "-r",
        f"{topology.hub.v4}:{PORT}")
    given = tree / "etc/lightweight-tunnel/gateway.toml"
    given.write_text(settings.read_text())
    given.chmod(0o600)
    (tree / "dev/net").mkdir(exist_ok=True)
    run("mknod", tree / "dev/net/tun", "c", "10", "200")
    inside = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh",
              "-ec", f"mount -t proc proc {tree}/proc; "
              f"mount -o ro -t sysfs sysfs {tree}/sys; exec chroot {tree} "
              "setpriv --bounding-set=-all,+net_admin,+net_raw "
              "--inh-caps=-all,+net_admin,+net_raw --no-new-privs "
              + " ".join(entry))
    process = topology.hub.namespace.popen(*inside,
                                           env={**os.environ, **environment})
    client = pathlib.Path(f"{settings}.client")
    other = topology.client.namespace.popen(BUILD / "lightweight-tunnel", "-c",
                                            client)
    wait_until(lambda: topology.client.namespace.ping(
        "10.86.27.1", count=1, timeout=1) == 1, 30, "the container's hub answers")
    other.terminate()
    assert other.wait(10) == 0
    # The process 1 of its container, which is stopped by STOPSIGNAL.
    inner, = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children"
                          ).read_text().split()
    os.kill(int(inner), signal.SIGTERM)
    assert process.wait(10) == 0


def _image(package, debian, tmp_path):
    """The recipe by a program that builds images, on an image of that tree,
    since no registry is asked. What is made starts, and is of this version."""
    def buildah(*words):
        return run(*_outside(), "buildah", "--storage-driver", "vfs", "--root",
                   tmp_path / "images", "--runroot", tmp_path / "run",
                   *words, stderr=subprocess.DEVNULL).stdout.strip()

    base = buildah("from", "scratch")
    run("cp", "-a", f"{debian}/.", buildah("mount", base))
    buildah("umount", base)
    buildah("commit", base, "docker.io/library/debian:12-slim")
    buildah("build", "--isolation", "chroot", "--network", "host", "-f",
            REPOSITORY / "scripts/packaging/Containerfile", "-t", "tunnel",
            package.parent)
    made = buildah("from", "tunnel")
    said = buildah("run", "--isolation", "chroot", made, "--",
                   "/usr/bin/lightweight-tunnel", "-v")
    assert package.name.split("_")[1] in said, said
    buildah("rm", "--all")
    buildah("rmi", "--all")


if os.environ.get("LWT_E2E") == "full":
    test_image = _image
    test_on_a_debian_of_its_own = _on_a_debian_of_its_own
    test_container = _container
