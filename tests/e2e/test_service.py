"""A gateway as a service of a real systemd, installed by the script."""

import json
import re

import pytest

from harness.gateway import BUILD, KEY, PORT, server_arguments
from harness.machine import REPOSITORY
from harness.wait import wait_until

UNIT = "lightweight-tunnel@office"
INSTALL = REPOSITORY / "scripts/install-service.sh"
# What the unit's user may use: CAP_NET_BIND_SERVICE (10), CAP_NET_ADMIN (12),
# CAP_NET_RAW (13).
ALLOWED = 1 << 10 | 1 << 12 | 1 << 13


@pytest.fixture
def hub(topology, start):
    return start(topology.hub.namespace,
                 [*server_arguments("10.0.0.1/24"), "-dns", "10.0.0.1"], "hub")


def _settings(topology, key=f'key = "{KEY}"'):
    return (f'mode = "client"\nremote_addr = "{topology.hub.v4}:{PORT}"\n'
            f'tunnel_addr = ["10.0.0.2/24"]\n{key}\n')


def _install(machine, settings):
    """The console's text; the service runs."""
    path = machine.root / "root/office.toml"
    path.write_text(settings)
    path.chmod(0o600)
    return machine.run(INSTALL, "-build", BUILD.resolve(), "/root/office.toml",
                       "office").stdout


def _main_pid(machine):
    """As the machine numbers it."""
    return int(machine.show(UNIT, "MainPID"))


def _status_of(machine, pid):
    text = machine.run("cat", f"/proc/{pid}/status").stdout
    return dict(re.findall(r"(\w+):\s*(.*)", text))


def _messages(machine):
    return [json.loads(line)["MESSAGE"] for line in
            machine.journal(UNIT).splitlines()]


def _watchdog_fed(machine):
    """When the unit last was, in microseconds."""
    return int(machine.show(UNIT, "WatchdogTimestampMonotonic"))


def _pings(topology):
    return topology.client.namespace.ping("10.0.0.1", count=1, timeout=1) == 1


def test_takes_what_systemd_gives(topology, hub, machine):
    """The key as a credential, the watchdog's time; and how much the unit may
    do, as systemd counts it."""
    store = machine.root / "etc/credstore"
    store.mkdir(exist_ok=True)
    (store / "lightweight-tunnel.office.key").write_text(KEY + "\n")
    override = machine.root / f"etc/systemd/system/{UNIT}.service.d"
    override.mkdir(parents=True)
    (override / "watchdog.conf").write_text("[Service]\nWatchdogSec=10\n")
    _install(machine, _settings(topology, key=""))
    wait_until(lambda: _pings(topology), 15, "the tunnel is up")
    pid = _main_pid(machine)
    machine.run("systemd-analyze", "security", "--offline=true",
                "--threshold=20",
                "/etc/systemd/system/lightweight-tunnel@.service")
    for name in ("environ", "cmdline"):
        seen = machine.run("cat", f"/proc/{pid}/{name}").stdout
        assert "lightweight-tunnel" in seen and KEY not in seen
    assert KEY not in machine.journal(UNIT)
    fed = _watchdog_fed(machine)
    wait_until(lambda: _watchdog_fed(machine) > fed, 20,
               "the watchdog is fed again")
    assert _main_pid(machine) == pid
    machine.run("kill", "-STOP", str(pid))
    wait_until(lambda: _main_pid(machine) not in (0, pid), 40,
               "one that hangs is replaced")
    wait_until(lambda: _pings(topology), 20, "the tunnel is back")
    assert machine.show(UNIT, "NRestarts") == "1"


def _status(machine):
    return json.loads(machine.run("lwtctl", "status", "-json").stdout)


# What has sockets, or a process, of its own.
_MORE = """accept_dns = true
enable_nat_detection = true
metrics.listen = "127.0.0.1:9464"
"""


def _more_works(topology, machine):
    assert "lwt_peer_up" in topology.client.namespace.run(
        "curl", "-s", "http://127.0.0.1:9464/metrics").stdout
    wait_until(lambda: _status(machine).get("nat", {}).get("name") == "none",
               20, "the hub tells of the NAT")
    wait_until(lambda: "10.0.0.1" in _status(machine)["tunnel"]["reason"], 20,
               "the name servers are dealt with")


def test_runs_restarts_and_leaves_nothing(topology, hub, machine):
    said = _install(machine, _settings(topology) + _MORE)
    assert f"{UNIT} runs" in said
    wait_until(lambda: _pings(topology), 15, "the tunnel is up")
    wait_until(lambda: machine.show(UNIT, "StatusText") ==
               "client, lwt0 10.0.0.2/24, 1 peer up", 5, "the status")
    pid = _main_pid(machine)
    status = _status_of(machine, pid)
    assert status["Uid"].split()[0] != "0"
    assert int(status["CapPrm"], 16) == 1 << 12 | 1 << 13
    assert int(status["CapBnd"], 16) == ALLOWED
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    _more_works(topology, machine)
    lines = [json.loads(line) for line in machine.journal(UNIT).splitlines()]
    ready, = [line for line in lines if line["MESSAGE"].startswith("ready: ")]
    assert ready["PRIORITY"] == "6"
    assert not [line["MESSAGE"] for line in lines
                if re.match("cannot|.*forbidden", line["MESSAGE"])]
    # Settings that changed are read again; a file with a fault is refused.
    settings = machine.root / "etc/lightweight-tunnel/office.toml"
    with settings.open("a") as file:
        # One counts from the next connection on, one waits for a restart.
        file.write('sni = "other.example.com"\npersona = "linux-6.1"\n')
    machine.run("systemctl", "reload", UNIT)
    wait_until(lambda: any(message.startswith("reload: ")
                           for message in _messages(machine)), 10,
               "the journal has what a reload did")
    good = settings.read_text()
    settings.write_text(good + "colour = 1\n")
    assert machine.run("systemctl", "reload", UNIT,
                       check=False).returncode == 1
    wait_until(lambda: any("unknown key" in message
                           for message in _messages(machine)), 10,
               "the journal has the fault")
    settings.write_text(good)
    assert machine.show(UNIT, "ActiveState") == "active"
    assert _main_pid(machine) == pid
    # A crash: the next one is up by itself, and the tunnel again.
    machine.run("kill", "-KILL", str(pid))
    wait_until(lambda: _main_pid(machine) not in (0, pid), 15, "a new process")
    wait_until(lambda: _pings(topology), 20, "the tunnel is back")
    assert machine.show(UNIT, "NRestarts") == "1"
    assert "failed 1 times in a row: starting in 1 s" in machine.journal(UNIT)
    state = machine.root / "var/lib/lightweight-tunnel/office"
    assert (state / "static.key").stat().st_uid == state.stat().st_uid != 0
    machine.run(INSTALL, "-uninstall", "office")
    hub.wait_status(lambda status: all(peer["state"] != "up" for peer in
                                       status["peers"]), 5, "told of the end")
    for path in ("etc/lightweight-tunnel", "var/lib/lightweight-tunnel",
                 "run/lightweight-tunnel", "usr/local/bin/lightweight-tunnel",
                 "usr/local/lib/lightweight-tunnel",
                 "etc/sysusers.d/lightweight-tunnel.conf",
                 "etc/systemd/system/lightweight-tunnel@.service"):
        assert machine.run("test", "-e", f"/{path}",
                           check=False).returncode == 1, path
    assert "lightweight-tunnel" not in machine.run("getent", "passwd").stdout


def test_the_pause_after_failures_ends_with_a_restart_by_hand(topology, hub,
                                                              machine):
    """And what a run that died left on the host stays known until then."""
    _install(machine, _settings(topology))
    folder = machine.root / "run/lightweight-tunnel/office"
    # As after four failures: the pause is 16 s now.
    machine.run("sh", "-ec", "cd /run/lightweight-tunnel/office; touch journal;"
                "echo 4 >failures; chown lightweight-tunnel: failures journal")
    machine.run("kill", "-KILL", str(_main_pid(machine)))
    wait_until(lambda: "failed 5 times in a row: starting in 16 s" in
               machine.journal(UNIT), 10, "it pauses")
    machine.run("systemctl", "stop", UNIT)
    for name, there in (("journal", 0), ("failures", 1)):
        assert machine.run("test", "-e", f"/run/lightweight-tunnel/office/"
                           f"{name}", check=False).returncode == there, name
    machine.run("timeout", "12", "systemctl", "start", UNIT)
    assert machine.show(UNIT, "ActiveState") == "active"
    machine.run(INSTALL, "-uninstall", "office")
    assert not folder.exists()
