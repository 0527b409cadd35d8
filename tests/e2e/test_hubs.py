"""A client with two hubs, of which the first one dies (docs/operations.md,
"Two hubs")."""

import time

from harness.gateway import PORT, client_arguments, server_arguments
from harness.wait import wait_until

# That a path in use is dead is known within 10 s, a hub that is silent is left
# after 10 s more, and a busy test host is slow.
_MOVE_S = 25


def _second_hub(topology, start):
    host = topology.clients[1]
    hub = start(host.namespace, server_arguments("10.0.0.1/24"), "second")
    wait_until(lambda: hub.status() is not None, 10, "the second hub is there")
    return hub, f"{host.v4}:{PORT}"


def _answers(topology):
    return topology.client.namespace.ping("10.0.0.1", count=1, timeout=1) == 1


def test_the_second_hub_takes_over(make_topology, start, folder):
    topology = make_topology(clients=2)
    first = start(topology.hub.namespace, server_arguments("10.0.0.1/24"),
                  "first")
    second, address = _second_hub(topology, start)
    file = folder / "client.toml"  # what flags do not give
    file.write_text("")
    client = start(topology.client.namespace,
                   ["-c", file, *client_arguments(topology.hub.v4,
                                                  "10.0.0.2/24")],
                   "client")
    client.wait_up()
    file.write_text("[[hub]]\n"
                    f'address = "{address}"\n'
                    f'public_key = "{second.status()["public_key"]}"\n')
    assert client.lwtctl("reload").stdout == (
        f"waits for the next connection: hub {address}: address, "
        f"hub {address}: public_key\n")
    peer = client.status()["peers"][0]
    assert peer["hub"] == f"{topology.hub.v4}:{PORT}"
    assert peer["hub_reason"] == ""
    assert topology.client.namespace.ping("10.0.0.1") == 3
    assert second.status()["peers"] == []

    first.kill()
    killed = time.monotonic()
    wait_until(lambda: _answers(topology), _MOVE_S,
               "pings go by the second hub")
    assert time.monotonic() - killed < _MOVE_S
    peer = client.status()["peers"][0]
    assert (peer["state"], peer["hub"], peer["endpoint"]) == ("up", address,
                                                              address)
    assert f"{topology.hub.v4}:{PORT}" in peer["hub_reason"]
    assert peer["public_key"] == second.status()["public_key"]
    second.wait_up()
    text = client.lwtctl("status").stdout
    assert f"\n  hub             {address}\n" in text
    assert f"\n  not             {topology.hub.v4}:{PORT}: " in text
    client.wait_log(f"tunnel up: session with {address}, .*, hub {address}; "
                    f"not {topology.hub.v4}:{PORT}: ")

    # It is no reason to leave that the first one is back.
    first.start()
    wait_until(lambda: first.status() is not None, 10, "the first is back")
    assert topology.client.namespace.ping("10.0.0.1") == 3
    assert client.status()["peers"][0]["hub"] == address
