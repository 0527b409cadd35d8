"""A web site behind the hub's port: who does not prove the key meets nginx,
while tunnels run on the same port."""

import concurrent.futures
import hashlib
import re
import socket
import subprocess

import pytest
from harness.gateway import PORT, client_arguments, server_arguments
from harness.netns import run
from harness.traffic import transfer
from harness.variant import Variant
from harness.wait import wait_until

_SITE = "site.example"
_CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  client_header_timeout 3;
  client_max_body_size 64m;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  dav_methods PUT;
  server {{
    listen 127.0.0.1:8443 ssl http2;
    server_name {site};
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    root {folder}/www;
    location /up/ {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""


@pytest.fixture
def site(topology, folder):
    """nginx on the hub's loopback, serving a file of 4 MiB."""
    www = folder / "www"
    www.mkdir()
    (www / "big").write_bytes(hashlib.shake_128(b"big").digest(4 << 20))
    (www / "index.html").write_text("a web site\n")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
        f"/CN={_SITE}", "-addext", f"subjectAltName=DNS:{_SITE}", "-keyout",
        folder / "key.pem", "-out", folder / "cert.pem")
    for path in (folder, www):
        path.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, site=_SITE))
    hub = topology.hub.namespace
    server = hub.popen("nginx", "-c", config, "-p", folder, "-g",
                       "user root;", stdout=subprocess.DEVNULL)
    wait_until(lambda: hub.output("ss", "-Hltn", "sport = :8443").strip(), 10,
               "nginx listens")
    yield www
    server.terminate()
    server.wait(10)


def _curl(topology, folder, *words):
    return topology.client.namespace.run(
        "curl", "-sS", "--fail", "--max-time", "60", "--cacert",
        folder / "cert.pem", "--resolve",
        f"{_SITE}:{PORT}:{topology.hub.v4}", *words)


def _url(path):
    return f"https://{_SITE}:{PORT}/{path}"


@pytest.fixture
def tunnel(topology, start, site):
    del site
    return start.pair(topology, Variant(),
                      hub_flags=("-fallback", "127.0.0.1:8443"))


def test_the_site_works_beside_the_tunnel(topology, tunnel, site, folder):
    del tunnel
    got = folder / "got"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        inside = pool.submit(transfer, topology.client.namespace,
                             topology.hub.namespace, "10.0.0.1", 8 << 20)
        _curl(topology, folder, "-o", got, _url("big"))
        inside.result()
    assert got.read_bytes() == (site / "big").read_bytes()
    # Several requests on one connection, by HTTP/2 and HTTP/1.1.
    for version in ("--http2", "--http1.1"):
        text = _curl(topology, folder, version, _url(""), _url("")).stdout
        assert text == "a web site\n" * 2


def test_what_a_prober_uploads_arrives(topology, tunnel, site, folder):
    del tunnel
    _curl(topology, folder, "-T", site / "big", _url("up/big"))
    assert (site / "up" / "big").read_bytes() == (site / "big").read_bytes()


def test_many_probers_at_once(topology, tunnel, folder):
    del tunnel
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        done = [pool.submit(_curl, topology, folder, _url(""))
                for _ in range(60)]
        assert all(one.result().stdout == "a web site\n" for one in done)
    assert topology.client.namespace.ping("10.0.0.1") == 3


def test_the_site_survives_loss(topology, tunnel, site, folder):
    del tunnel
    topology.add_loss(20)
    got = folder / "got"
    _curl(topology, folder, "-o", got, _url("big"))
    assert got.read_bytes() == (site / "big").read_bytes()


def _speak(topology, octets, patience=15):
    """What a TCP client of the kernel gets for `octets`, until the end."""

    def talk():
        with socket.create_connection((topology.hub.v4, PORT), 5) as prober:
            prober.settimeout(patience)
            prober.sendall(octets)
            answer = b""
            while chunk := prober.recv(65536):
                answer += chunk
            return answer

    return topology.client.namespace.inside(talk)


def test_plain_http_meets_the_servers_own_answer(topology, tunnel):
    del tunnel
    answer = _speak(topology, b"GET / HTTP/1.0\r\n\r\n")
    assert b"400 The plain HTTP request was sent to HTTPS port" in answer


def test_openssl_shows_the_sites_certificate(topology, tunnel, folder):
    del tunnel
    done = topology.client.namespace.run(
        "openssl", "s_client", "-connect", f"{topology.hub.v4}:{PORT}",
        "-servername", _SITE, "-CAfile", folder / "cert.pem", "-brief",
        input="")
    assert "Verification: OK" in done.stdout, done.stdout


@pytest.mark.parametrize("octets", [
    b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
    b"\x00" * 64, b"SSH-2.0-probe\r\n"
])
def test_without_a_site_garbage_meets_an_alert(topology, start, octets):
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                "hub")
    hub.wait_log("ready")
    # A fatal TLS alert, then the end.
    answer = _speak(topology, octets)
    assert answer[:3] == b"\x15\x03\x03" and answer[5] == 2, answer


def test_silence_meets_an_end(topology, start):
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                "hub")
    hub.wait_log("ready")
    assert _speak(topology, b"") in (b"", b"\x15\x03\x03\x00\x02\x02\x28")


def _nmap(topology):
    return topology.client.namespace.output(
        "nmap", "-Pn", "-n", "-sT", "-sV", "--version-light", "-p", PORT,
        topology.hub.v4)


def test_nmap_finds_the_site(topology, tunnel):
    del tunnel
    assert "ssl/http nginx" in " ".join(_nmap(topology).split())


def test_nmap_finds_a_tls_server_without_a_site(topology, start):
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                "hub")
    hub.wait_log("ready")
    line = next(line for line in _nmap(topology).splitlines()
                if line.startswith(f"{PORT}/tcp"))
    # What closes without a word would be "tcpwrapped".
    assert line.split()[1] == "open" and "tcpwrapped" not in line, line
    hub.wait_log("was turned away")


@pytest.mark.parametrize("words", [
    ("openssl", "s_client", "-connect", "{hub}:{port}", "-servername", _SITE),
    ("openssl", "s_client", "-connect", "{hub}:{port}", "-tls1_2"),
    ("curl", "-sSk", "--max-time", "10", "https://{hub}:{port}/"),
], ids=["openssl", "openssl-tls1.2", "curl"])
def test_a_genuine_client_without_the_key_meets_an_alert(topology, start,
                                                         words):
    hub = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                "hub")
    hub.wait_log("ready")
    done = topology.client.namespace.run(
        *(word.format(hub=topology.hub.v4, port=PORT) for word in words),
        input="", check=False, timeout=20)
    assert done.returncode != 0
    assert re.search("alert handshake failure", done.stdout), done.stdout


def test_silence_is_the_sites_to_end(topology, tunnel):
    """nginx waits for its client_header_timeout, then ends."""
    del tunnel
    assert _speak(topology, b"", patience=40) == b""


def test_a_site_that_is_down_is_said(topology, start):
    hub = start(topology.hub.namespace, [
        *server_arguments("10.0.0.1/24"), "-fallback", "127.0.0.1:8443"
    ], "hub")
    hub.wait_log("ready")
    assert _speak(topology, b"GET / HTTP/1.0\r\n\r\n") == b""
    client = start(topology.client.namespace,
                   client_arguments(topology.hub.v4, "10.0.0.2/24"), "client")
    client.wait_up()
