"""The Debian package: built, installed on a machine of its own, upgraded,
removed and purged."""

import os
import subprocess

import pytest

from harness import fake_version
from harness.gateway import BUILD, KEY, PORT, server_arguments
from harness.machine import REPOSITORY
from harness.netns import run
from harness.wait import wait_until

PACKAGE = REPOSITORY / "scripts/package.sh"
UNIT = "lightweight-tunnel@office"
# What changes with any package, or with any boot.
ELSEWHERE = ("/var/lib/dpkg", "/var/log", "/var/cache", "/run", "/tmp", "/proc",
             "/sys", "/dev", "/var/lib/systemd", "/var/tmp", "/root",
             # shadow-utils' copies of the files before.
             "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-",
             "/etc/ld.so.cache", "/etc/.pwd.lock")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Of this tree's programs: one of a lower version, and this one; and a
    higher one that is broken."""
    folder = tmp_path_factory.mktemp("packages")
    made = []
    for version in ("0.0.1", "0.9.0"):
        run(PACKAGE, "-o", folder, "-build", BUILD, "-version", version)
        made.append(folder / f"lightweight-tunnel_{version}_amd64.deb")
    return [*made, _broken(folder, made[-1])]


def _broken(folder, package):
    """That package with a program in it that starts and dies."""
    tree = folder / "broken"
    run("dpkg-deb", "-R", package, tree)
    fake_version.make(tree / "usr/bin", "starts and dies")
    (tree / "usr/bin/manual-pages").unlink()
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("0.9.0", "0.9.1"))
    made = folder / "lightweight-tunnel_0.9.1_amd64.deb"
    run("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made)
    return made


@pytest.fixture
def machine(machine):
    # The image's builder forbids packages to start anything.
    (machine.root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
    return machine


def _changed_files(machine):
    """Of the machine, beside what it was made of."""
    upper = machine.changes
    return {f"/{path.relative_to(upper)}" for path in upper.rglob("*")
            if not f"/{path.relative_to(upper)}".startswith(ELSEWHERE)
            and not path.is_dir()}


def _accounts(machine):
    return machine.run("getent", "passwd").stdout


def _put(machine, package):
    (machine.root / "root" / package.name).write_bytes(package.read_bytes())


def _version(machine):
    return machine.run("dpkg-query", "-W", "-f", "${Version}",
                       "lightweight-tunnel").stdout


def _install(machine, package):
    _put(machine, package)
    return machine.run("dpkg", "--install", f"/root/{package.name}").stdout


def _pings(topology):
    return topology.client.namespace.ping("10.0.0.1", count=1, timeout=1) == 1


def test_life_cycle(topology, start, machine, packages):
    old, new, broken = packages
    start(topology.hub.namespace, server_arguments("10.0.0.1/24"), "hub")
    accounts = _accounts(machine)
    before = _changed_files(machine)
    _install(machine, old)
    assert machine.run("lightweight-tunnel", "-v").stdout.startswith(
        "lightweight-tunnel ")
    settings = machine.root / "etc/lightweight-tunnel/office.toml"
    settings.write_text(
        f'mode = "client"\nremote_addr = "{topology.hub.v4}:{PORT}"\n'
        f'tunnel_addr = ["10.0.0.2/24"]\nkey = "{KEY}"\n')
    machine.run("chgrp", "lightweight-tunnel",
                "/etc/lightweight-tunnel/office.toml")
    settings.chmod(0o640)
    machine.run("systemctl", "enable", "--now", UNIT)
    wait_until(lambda: _pings(topology), 15, "the tunnel is up")
    key = (machine.root /
           "var/lib/lightweight-tunnel/office/static.key").read_bytes()
    # One that is broken goes, and dpkg knows which one is there.
    _put(machine, broken)
    upgrade = ("/usr/lib/lightweight-tunnel/upgrade.sh", "-wait", "15",
               "-settle", "1", "-package")
    done = machine.run(*upgrade, f"/root/{broken.name}", check=False)
    assert done.returncode == 3, done.stdout
    assert _version(machine) == "0.0.1"
    assert machine.run("dpkg", "--verify", "lightweight-tunnel").stdout == ""
    wait_until(lambda: _pings(topology), 15, "the version before carries")
    _put(machine, new)
    said = machine.run(*upgrade, f"/root/{new.name}").stdout
    assert "1 peers up, before 1" in said and _version(machine) == "0.9.0"
    # An upgrade restarts what runs, and settings and state are as before.
    first = machine.show(UNIT, "MainPID")
    _install(machine, new)
    assert machine.show(UNIT, "ActiveState") == "active"
    assert machine.show(UNIT, "MainPID") not in ("0", first)
    wait_until(lambda: _pings(topology), 15, "the tunnel is back")
    assert settings.exists()
    assert (machine.root / "var/lib/lightweight-tunnel/office/static.key"
            ).read_bytes() == key
    machine.run("dpkg", "--remove", "lightweight-tunnel")
    assert machine.show(UNIT, "ActiveState") == "inactive"
    assert settings.exists() and not _pings(topology)
    machine.run("dpkg", "--purge", "lightweight-tunnel")
    assert _accounts(machine) == accounts
    left = _changed_files(machine) - before
    # Written again, as they were.
    left = {path for path in left
            if (machine.root / path[1:]).exists()
            and machine.differs(path)}
    assert left == set()


def test_pages_examples_and_the_two_lines(topology, machine, packages):
    _install(machine, packages[1])
    for page in ("8 lightweight-tunnel", "5 lightweight-tunnel.toml",
                 "1 lwtctl"):
        text = machine.run("man", "--warnings", "-P", "cat", *page.split(),
                           env={**os.environ, "MANWIDTH": "80"}).stdout
        assert "NAME" in text and "warning" not in text
    examples = "/usr/share/doc/lightweight-tunnel/examples"
    (machine.root / "etc/lightweight-tunnel/tunnel.key").write_text(KEY + "\n")
    names = machine.run("ls", examples).stdout.split()
    assert len(names) == 5
    for name in names:
        machine.run("lightweight-tunnel", "-check-config", "-c",
                    f"{examples}/{name}")
    share = "/usr/share/lightweight-tunnel"
    machine.run("promtool", "check", "rules",
                f"{share}/lightweight-tunnel.rules.yml")
    machine.run("jq", ".panels", f"{share}/lightweight-tunnel.json")
    for host, flags in (
            (topology.hub, ["-m", "server", "-l", f"0.0.0.0:{PORT}", "-t",
                            "10.0.0.1/24"]),
            (topology.client, ["-m", "client", "-r",
                               f"{topology.hub.v4}:{PORT}", "-t",
                               "10.0.0.2/24"])):
        host.process = machine.popen(host.namespace, "lightweight-tunnel",
                                     *flags, "-k", KEY)
    wait_until(lambda: "tunnel up" in machine.console(), 15, "the tunnel")
    wait_until(lambda: _pings(topology), 15, "it carries")
    machine.run("pkill", "-x", "lightweight-tun")
    for host in (topology.hub, topology.client):
        assert host.process.wait(10) == 0


def test_lintian_finds_nothing(packages):
    said = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--allow-root",
         packages[1]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False)
    assert said.returncode == 0, said.stdout


def test_the_user_goes_with_the_last_that_needs_it(topology, machine, packages):
    """install-service.sh and the package, whichever is taken away first."""
    accounts = _accounts(machine)
    settings = machine.root / "root/office.toml"
    settings.write_text(
        f'mode = "client"\nremote_addr = "{topology.hub.v4}:{PORT}"\n'
        f'tunnel_addr = ["10.0.0.2/24"]\nkey = "{KEY}"\n')
    settings.chmod(0o600)
    script = REPOSITORY / "scripts/install-service.sh"
    machine.run(script, "-build", BUILD.resolve(), "/root/office.toml",
                "office")
    said = _install(machine, packages[1])
    assert "what install-service.sh installed stays in force" in said
    machine.run("dpkg", "--purge", "lightweight-tunnel")
    assert machine.show(UNIT, "ActiveState") == "active"
    assert "lightweight-tunnel" in _accounts(machine)
    assert (machine.root / "etc/lightweight-tunnel/office.toml").exists()
    _install(machine, packages[1])
    machine.run(script, "-uninstall", "office")
    assert "lightweight-tunnel" in _accounts(machine)
    machine.run("dpkg", "--purge", "lightweight-tunnel")
    assert _accounts(machine) == accounts


def _builds_by_itself(tmp_path):
    """Without -build it compiles, by the options of a release."""
    run(PACKAGE, "-o", tmp_path)
    made, = tmp_path.glob("*.deb")
    run("dpkg-deb", "-x", made, tmp_path / "tree")
    said = run(tmp_path / "tree/usr/bin/lightweight-tunnel", "-v").stdout
    assert said.split()[1] == made.name.split("_")[1]


if os.environ.get("LWT_E2E") == "full":
    test_builds_by_itself = _builds_by_itself
