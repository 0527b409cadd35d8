"""What a gateway may do once it runs, and that an ordinary user can run one."""

import os
import pathlib
import re
import resource
import shutil

import pytest

from harness.gateway import DAEMON, KEY, client_arguments, server_arguments
from harness.machine import REPOSITORY
from harness.memory import found_in_dump
from harness.netns import run
from harness.pair import Pair, reload
from harness.trace import SystemCalls
from harness.wait import wait_until

NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 1 << 10, 1 << 12, 1 << 13
NETWORK = NET_ADMIN | NET_RAW
USER = 65534  # nobody


def _threads(pid):
    """Name -> value of the status of each thread of a process."""
    return [dict(re.findall(r"(\w+):\s*(.*)", path.read_text())) for path in
            pathlib.Path(f"/proc/{pid}/task").glob("*/status")]


def _assert_confined(pid, permitted):
    threads = _threads(pid)
    assert len(threads) > 2
    for thread in threads:
        assert int(thread["CapPrm"], 16) == permitted, thread["Name"]
        assert int(thread["CapEff"], 16) == permitted, thread["Name"]
        assert thread["Seccomp"] == "2", thread["Name"]
        assert thread["NoNewPrivs"] == "1", thread["Name"]


def test_all_threads_give_up_what_they_do_not_need(topology, start, variant):
    hub, client = start.pair(topology, variant)
    if variant.uplink != "af_xdp":
        for gateway in (hub, client):
            _assert_confined(gateway.pid, NETWORK)
            assert "privileges: CAP_NET_ADMIN, CAP_NET_RAW\n" in gateway.log()
    assert topology.client.namespace.ping("10.0.0.1") == 3
    for gateway in (hub, client):
        assert gateway.stop() == 0
        assert "forbidden system call" not in gateway.log()


def test_a_low_port_keeps_its_capability(topology, start):
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", port=443), "hub")
    hub.wait_log("ready: ")
    _assert_confined(hub.pid, NETWORK | NET_BIND_SERVICE)


@pytest.mark.parametrize("by", ["environment", "flags"])
def test_an_ordinary_user_runs_it(topology, start, folder, by):
    """setcap, and folders of their own."""
    program = folder / "lightweight-tunnel"
    shutil.copy(DAEMON, program)
    run("setcap", "cap_net_raw,cap_net_admin=eip", program)
    for name in ("run", "state"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, USER, USER)
    folder.chmod(0o755)
    # As on any host; that of the tests is everybody's.
    pathlib.Path("/run").chmod(0o755)
    start(topology.hub.namespace, server_arguments("10.0.0.1/24"), "hub")
    words = [program, *client_arguments(topology.hub.v4, "10.0.0.2/24")]
    if by == "flags":
        words += ["-state-dir", folder / "state"]
    else:
        words = ["env", f"RUNTIME_DIRECTORY={folder}/run",
                 f"STATE_DIRECTORY={folder}/state", *words]
    client = start(
        topology.client.namespace,
        [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *words],
        "client", own_paths=False, program="setpriv")
    client.wait_log("tunnel up")
    assert topology.client.namespace.ping("10.0.0.1") == 3
    status, = {thread["Uid"] for thread in _threads(client.pid)}
    assert set(status.split()) == {str(USER)}
    _assert_confined(client.pid, NETWORK)
    run_folder = folder / ("state" if by == "flags" else "run")
    client.socket = run_folder / "control.sock"
    assert client.status()["peers"][0]["state"] == "up"
    for name in ("cmdline", "environ"):
        assert KEY.encode() not in pathlib.Path(
            f"/proc/{client.pid}/{name}").read_bytes()
    assert client.stop() == 0
    wait_until(lambda: {path.name for path in run_folder.iterdir()} <=
               {"static.key", "server.pub"}, 1,
               "nothing is left but the folder and state")


def _admitted():
    """By name, those of the list and those with a condition."""
    text = (REPOSITORY / "control/service/system_calls.h").read_text()
    return {*re.findall(r'^    "(\w+)",$', text, re.M), "socket", "clone",
            # Answered with an error: who tries them goes on without.
            "clone3", "bpf"}


def _rotate(hub):
    wait_until(lambda: hub.lwtctl("rotate-key", check=False).returncode == 0,
               20, "a rotation begins")
    wait_until(lambda: "1 of 1 connected" in hub.lwtctl("rotation").stdout, 20,
               "the client has the key")


def _use_every_feature(pair):
    """What control does beside sessions: it reads settings, asks for names,
    changes keys, routes and the guard, and follows the uplink."""
    topology, hub, client = pair.topology, pair.hub, pair.client
    pair.hub_file.write(fallback='"localhost:1"', rate='"100M"',
                        routes='["10.20.0.0/16"]')
    reload(hub)
    pair.client_file.write(sni='"other.example.com"',
                           routes='["192.168.77.0/24"]')
    reload(client)
    topology.client.namespace.run(
        "curl", "-s", "-m", "2", f"http://{topology.hub.v4}:9000/", check=False)
    hub.wait_log("the fallback .* cannot be reached")
    _rotate(hub)
    pair.client_file.write(default_route="true")
    reload(client)
    client.wait_log("all traffic goes through the tunnel")
    outside = topology.client.namespace
    for up_again in (lambda: outside.ip("link", "set", "eth0", "name", "wan0"),
                     lambda: outside.ip("link", "set", "wan0", "name", "eth0")):
        up_again()
        wait_until(lambda: outside.ping("10.0.0.1", count=1, timeout=1) == 1,
                   30, "it follows its uplink")
    key = client.status()["public_key"]
    for words in (("status",), ("routes",), ("version",), ("rotation",),
                  ("peer", "ban", key), ("peer", "unban", key)):
        hub.lwtctl(*words)
    wait_until(lambda: outside.ping("10.0.0.1", count=1, timeout=1) == 1, 60,
               "the client is let in again")


@pytest.mark.parametrize("uplink", ["af_packet", "af_xdp"])
def test_a_run_with_every_feature_makes_no_other_call(topology, start, folder,
                                                      uplink):
    both = {"uplink__driver": f'"{uplink}"', "fec": '"10:3"'}
    pair = Pair(topology, start, folder, hub={"multicast": '"hub"', **both},
                client=both)
    for side in (pair.hub, pair.client):
        assert side.status()["uplink"]["driver"] == uplink
    traces = []
    for side in (pair.hub, pair.client):
        (folder / f"{side.label}-calls").mkdir()
        traces.append(SystemCalls(side.pid, folder / f"{side.label}-calls",
                                  all_threads=True))
    _use_every_feature(pair)
    for trace in traces:
        made = trace.stop()
        # What it did was seen.
        assert {"rename", "socket", "clone", "fsync"} & set(made), made
        assert len(made) > 15 and set(made) <= _admitted(), made
    for side in (pair.hub, pair.client):
        assert side.stop() == 0
        assert "forbidden system call" not in side.log()


def test_a_key_leaves_no_trace(topology, start, folder):
    """In the log and what others may read of a process: neither the key that
    it was started with, by a file or a flag, nor the one after. There is no
    core dump; of the first key there would be nothing in one."""
    planted = "planted-pattern-4711-of-a-key"
    pair = Pair(topology, start, folder, hub={"key": f'"{planted}"'},
                client={"key": None, "sni": '"seen.example.com"'},
                client_flags=("-k", planted))
    reload(pair.hub)
    _rotate(pair.hub)
    reload(pair.client)
    rotated = re.search(r'^key = "(.*)"', pair.hub_file.path.read_text(),
                        re.M).group(1)
    assert rotated not in ("", planted)
    keys = {planted.encode(), rotated.encode()}
    for side in (pair.hub, pair.client):
        for name in ("cmdline", "environ"):
            text = pathlib.Path(f"/proc/{side.pid}/{name}").read_bytes()
            assert text and not [key for key in keys if key in text], name
        assert not [key for key in keys if key in side.log().encode()]
        assert not found_in_dump(side.pid, {planted.encode()}), side.label
        assert resource.prlimit(side.pid, resource.RLIMIT_CORE) == (0, 0)
    # What is no secret is found.
    seen = b"seen.example.com"
    assert found_in_dump(pair.client.pid, {seen}) == {seen}
