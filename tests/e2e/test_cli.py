"""The commands as a user types them."""

import pathlib
import re
import stat
import subprocess
import sys

import pytest

from harness.gateway import (DAEMON, KEY, LWTCTL, client_arguments,
                             default_socket, server_arguments)
from harness.variant import Variant
from harness.netns import run
from harness.wait import wait_until

def test_key_is_not_in_the_process_list(topology, start):
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"), "hub")
    hub.wait_log("9000")
    command = pathlib.Path(f"/proc/{hub.pid}/cmdline").read_text()
    assert "10.0.0.1/24" in command
    assert KEY not in command
    assert KEY not in hub.log()


def test_two_gateways_on_one_host(topology, start, variant):
    """Two hubs in one namespace and two clients in another, by their default
    folders. AF_XDP serves one gateway of an interface, so beside it the second
    pair goes by packet socket."""
    sides = []
    variants = (variant, variant.with_uplink("af_packet"))
    for number, port in ((0, 9000), (1, 9001)):
        for host, mode, last in ((topology.hub, "server", 1),
                                 (topology.client, "client", 2)):
            tunnel = f"10.{number}.0.{last}"
            own = variants[number]
            arguments = (server_arguments(f"{tunnel}/24", own, port=port)
                         if mode == "server" else client_arguments(
                             topology.hub.v4, f"{tunnel}/24", own, port))
            side = start(host.namespace,
                         [*arguments, "-tun-name", f"lwt{number}"],
                         f"{mode}{number}", own_paths=False)
            side.socket = default_socket(mode, tunnel)
            sides.append((side, own))
    for side, own in sides:
        side.wait_up()
        own.assert_ran(side)
    for number in (0, 1):
        assert topology.client.namespace.ping(f"10.{number}.0.1") == 3
        assert topology.hub.namespace.ping(f"10.{number}.0.2") == 3


def test_second_start_of_one_gateway_is_refused(topology, start, variant):
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", variant), "hub")
    hub.wait_log("9000")
    again = start(topology.hub.namespace, hub.arguments, "again",
                  own_paths=False)
    assert again.wait_exit(5) == 1
    variant.assert_ran(hub)
    assert str(hub.pid) in again.log()


def test_port_in_use_names_its_owner(topology, start, variant):
    holder = topology.hub.namespace.popen(
        sys.executable, "-c",
        "import socket, sys; s = socket.create_server(('0.0.0.0', 9000)); "
        "print('ready', flush=True); sys.stdin.read()",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "ready\n"
    hub = start(topology.hub.namespace,
                server_arguments("10.0.0.1/24", variant), "hub")
    assert hub.wait_exit(10) == 1
    assert re.search(rf"9000.*python3.*{holder.pid}", hub.log()), hub.log()
    holder.stdin.close()
    holder.wait()


def test_config_pair_makes_a_tunnel(topology, start, folder):
    path = folder / "hub.toml"
    run(DAEMON, "-g", path, "-r", f"{topology.hub.v4}:9000", "-t",
        "10.7.0.1/24")
    client_path = pathlib.Path(f"{path}.client")
    for file in (path, client_path):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = run(DAEMON, "-g", path, check=False)
    assert again.returncode == 1
    hub = start(topology.hub.namespace, ["-c", path], "hub")
    client = start(topology.client.namespace, ["-c", client_path], "client")
    for side in (client, hub):
        side.wait_up()
        Variant().assert_ran(side)
    assert topology.client.namespace.ping("10.7.0.1") == 3


def test_any_line_of_the_written_files_can_be_uncommented(folder):
    """The program itself reads each variant."""
    path = folder / "hub.toml"
    run(DAEMON, "-g", path)
    for file in (path, pathlib.Path(f"{path}.client")):
        lines = file.read_text().splitlines()
        hashes = [number for number, line in enumerate(lines)
                  if re.match(r"#\w", line)]
        assert len(hashes) > 25
        for number in hashes:
            variant = folder / "variant.toml"
            variant.touch(0o600)
            variant.write_text("\n".join(
                line.removeprefix("#") if at == number else line
                for at, line in enumerate(lines)))
            done = run(DAEMON, "-c", variant, "-check-config", check=False)
            assert done.returncode == 0, f"{lines[number]}\n{done.stdout}"


def test_settings_in_force_name_where_each_was_given(topology, start, folder):
    """What is printed is a file that makes the same gateway again."""
    path = folder / "hub.toml"
    run(DAEMON, "-g", path)
    key = re.search(r'^key = "(.+)"', path.read_text(), re.MULTILINE).group(1)
    line = path.read_text().splitlines().index('mode = "server"') + 1
    printed = run(DAEMON, "-c", path, "-mtu", "1380", "-print-config").stdout
    assert f'mode = "server"  # {path}:{line}\n' in printed
    assert "mtu = 1380  # -mtu\n" in printed
    assert "multi_client = true  # default\n" in printed
    assert '#fallback = ""  # not given\n' in printed
    assert key not in printed
    again = folder / "again.toml"
    again.touch(0o600)
    again.write_text(f'key = "{key}"\n{printed}')
    hub = start(topology.hub.namespace, ["-c", again], "hub")
    client = start(topology.client.namespace, [
        "-c", f"{path}.client", "-r", f"{topology.hub.v4}:9000"], "client")
    hub.wait_up()
    assert hub.status()["tunnel"]["mtu"] == 1380
    Variant().assert_ran(client)


@pytest.mark.parametrize("words, status, sentence", [
    (["-k", "abc"], 1, "3 characters are too few"),
    (["-k", "lwt1:abc"], 1, "is not a generated key"),
    (["-t", "10.0.0.1/32"], 1, "leaves no address for a client"),
    (["-t", "fe80::1/64"], 2, "is link-local"),
    (["-t", "{hub}/16"], 2, "lies within the tunnel's own network"),
    (["-lan-port", "lwt0"], 1, "name two interfaces"),
    (["-mtu", "abc"], 2, "is not a whole number"),
])
def test_check_refuses_what_the_start_refuses(topology, words, status,
                                              sentence):
    base = ["-m", "server", "-l", f"{topology.hub.v4}:9000", "-t",
            "10.0.0.1/24", "-k", KEY]
    words = [word.format(hub=topology.hub.v4) for word in words]
    good = topology.hub.namespace.run(DAEMON, *base, "-check-config")
    assert "good" in good.stdout
    for action in (["-check-config"], ["-print-config"], []):
        done = topology.hub.namespace.run(DAEMON, *base, *words, *action,
                                          check=False)
        assert done.returncode == status, done.stdout
        assert sentence in done.stdout


def test_help_version_and_mistakes():
    for flag in ("-h", "--help", "help"):
        assert "-multi-client" in run(DAEMON, flag).stdout
        assert "status" in run(LWTCTL, flag).stdout
    for program, word in ((DAEMON, "--version"), (DAEMON, "version"),
                          (LWTCTL, "--version")):
        assert re.match(r"\S+ \d+\.\d+", run(program, word).stdout)
    wrong = run(DAEMON, "-multi-clent", check=False)
    assert wrong.returncode == 2
    assert "multi-client" in wrong.stdout
    keys = {run(DAEMON, "genkey").stdout.strip() for _ in range(3)}
    assert len(keys) == 3
    assert all(key.startswith("lwt1:") for key in keys)


def test_no_key_is_refused(topology):
    done = topology.hub.namespace.run(DAEMON, "-m", "server", "-l",
                                      "0.0.0.0:9000", "-t", "10.0.0.1/24",
                                      check=False)
    assert done.returncode == 1
    assert "genkey" in done.stdout


def test_no_encryption_is_said_in_so_many_words(topology, start):
    none = ["-encryption", "none"]
    hub = start(topology.hub.namespace, [
        "-m", "server", "-l", "0.0.0.0:9000", "-t", "10.0.0.1/24", *none
    ], "hub")
    client = start(topology.client.namespace, [
        "-m", "client", "-r", f"{topology.hub.v4}:9000", "-t", "10.0.0.2/24",
        *none
    ], "client")
    client.wait_up()
    assert topology.client.namespace.ping("10.0.0.1") == 3
    for side in (hub, client):
        Variant().assert_ran(side)
        assert "anybody may join" in side.log()
        assert "anyone may join" in side.lwtctl("status").stdout
        assert side.status()["encryption"] == "none"


def test_preflight_says_what_it_found(topology):
    text = topology.hub.namespace.run(
        DAEMON, "-preflight", *server_arguments("10.0.0.1/24")).stdout
    for subject in ("privileges", "tun device", "cpus", "memory", "uplink",
                    "dpdk drivers"):
        assert subject in text, text
    assert "OK" in text


def test_status_for_people_and_programs(topology, start, variant):
    hub, client = start.pair(topology, variant)
    text = client.lwtctl("status").stdout
    assert variant.uplink in text and "10.0.0.2" in text
    status = hub.status()
    for key in ("version", "mode", "uptime_s", "encryption", "public_key",
                "drops", "counters", "memory"):
        assert key in status
    assert status["mode"] == "server"
    assert status["tunnel"]["device"] == "lwt0"
    for worker in status["workers"]:
        assert worker["busy_cycles"] > 0 and worker["idle_cycles"] > 0
    peer = status["peers"][0]
    for key in ("public_key", "state", "path", "rtt_us", "rx_packets",
                "rx_bytes", "tx_packets", "tx_bytes", "last_handshake_s"):
        assert key in peer
    assert peer["public_key"] == client.status()["public_key"]
    assert peer["endpoint"].startswith(topology.client.v4)
    for side in (hub, client):
        side.wait_status(lambda now: (now["peers"][0]["rtt_us"] or 0) > 0, 5,
                         "a measured round trip")
    # Of both ends, by what each tells the other.
    for side, other in ((hub, "10.0.0.2"), (client, "10.0.0.0/24")):
        own, spoken, _ = side.lwtctl("version").stdout.splitlines()
        assert own == status["version"]
        assert re.match(r"protocol 1, features: .*about", spoken)
        wait_until(lambda side=side, other=other, line=f"peer {other}: {own}, "
                   f"{spoken}": side.lwtctl("version").stdout.splitlines()[2] ==
                   line, 5, "the other end's version")
    assert "10.0.0.2" in peer["tunnel_addresses"][0]
    assert len(status["drops"]) > 30
    wait_until(lambda: hub.status()["uptime_s"] > 0, 5, "the clock runs")


@pytest.mark.parametrize("stdout", ["/dev/full", "closed"])
def test_what_cannot_be_printed_is_an_error(topology, start, folder, stdout):
    """Of every command of both programs; with room for it each is done."""
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"), "hub")
    hub.wait_log("ready: ")
    old = folder / "old.json"
    old.write_text('{"mode": "server", "key": "my-secret-password-2024"}')
    settings = server_arguments("10.0.0.1/24")
    commands = [[DAEMON, *words] for words in (
        ["-h"], ["-v"], ["genkey"], ["-check-config", *settings],
        ["-print-config", *settings], ["-preflight", *settings],
        ["-g", folder / "{}.toml"], ["-cleanup"],
        ["pubkey", *settings, "-state-dir", hub.state],
        ["-import", old, "-g", folder / "{}.imported"])]
    commands += [[LWTCTL, "-socket", hub.socket, *words] for words in (
        ["-h"], ["-v"], ["status"], ["status", "-json"], ["version"],
        ["reload"], ["rotation"])]
    for command in commands:
        given = [str(word).replace("{}", stdout.strip("/").replace("/", "-"))
                 for word in command]
        redirect = ">&-" if stdout == "closed" else f">{stdout}"
        done = topology.hub.namespace.run(
            "sh", "-c", f'exec "$@" {redirect}', "sh", *given, check=False)
        assert done.returncode == 1, given
        assert "cannot write what was to be printed" in done.stdout, given
        room = [word.replace(".toml", ".t").replace(".imported", ".i")
                for word in given]
        assert topology.hub.namespace.run(*room,
                                          check=False).returncode == 0, room
