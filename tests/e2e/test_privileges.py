"""What a gateway may do once it runs, and that an ordinary user can run one."""

import os
import pathlib
import re
import shutil

from harness.gateway import DAEMON, KEY, client_arguments, server_arguments
from harness.netns import run
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


def test_an_ordinary_user_runs_it(topology, start, folder):
    """setcap, and folders of their own."""
    program = folder / "lightweight-tunnel"
    shutil.copy(DAEMON, program)
    run("setcap", "cap_net_raw,cap_net_admin=eip", program)
    for name in ("run", "state"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, USER, USER)
    folder.chmod(0o755)
    start(topology.hub.namespace, server_arguments("10.0.0.1/24"), "hub")
    client = start(
        topology.client.namespace,
        [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env",
         f"RUNTIME_DIRECTORY={folder}/run", f"STATE_DIRECTORY={folder}/state",
         program, *client_arguments(topology.hub.v4, "10.0.0.2/24")],
        "client", own_paths=False, program="setpriv")
    client.wait_log("tunnel up")
    assert topology.client.namespace.ping("10.0.0.1") == 3
    status, = {thread["Uid"] for thread in _threads(client.pid)}
    assert set(status.split()) == {str(USER)}
    _assert_confined(client.pid, NETWORK)
    client.socket = folder / "run/control.sock"
    assert client.status()["peers"][0]["state"] == "up"
    for name in ("cmdline", "environ"):
        assert KEY.encode() not in pathlib.Path(
            f"/proc/{client.pid}/{name}").read_bytes()
    assert client.stop() == 0
    wait_until(lambda: not list((folder / "run").iterdir()), 1,
               "nothing is left but the folder")
