"""Fixtures of the end-to-end tests. They need root and nothing else: the
tests run in namespaces of their own."""

import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import gateway as gateway_module  # noqa: E402
from harness import isolation  # noqa: E402
from harness.bad_link import BadLink  # noqa: E402
from harness.machine import Machine  # noqa: E402
from harness.topology import Topology  # noqa: E402
from harness.variant import FULL, VARIANTS  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "alone: measures time or CPU, so nothing runs beside it")
    isolation.isolate()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Shows the gateways' logs with a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for gateway in item.funcargs.get("start", _NO_STARTER).gateways:
        tail = gateway.log().splitlines()[-60:]
        report.sections.append((f"log of {gateway.label}", "\n".join(tail)))


@pytest.fixture
def folder():
    """A short path: a socket's name has 107 bytes at most."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="lwte-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_topology():
    made = []

    def make(**options):
        made.append(Topology(**options))
        return made[-1]

    yield make
    for topology in made:
        topology.delete()


@pytest.fixture
def topology(make_topology):
    return make_topology()


@pytest.fixture
def machine(topology):
    """With a systemd of its own, in the client's namespace."""
    made = Machine(topology.client.namespace)
    yield made
    print(made.console())
    made.delete()


@pytest.fixture
def make_bad_link():
    made = []

    def make(**settings):
        made.append(BadLink(**settings))
        return made[-1]

    yield make
    for link in made:
        link.delete()


class _Starter:
    """Starts gateways and ends those that still run when the test ends."""

    def __init__(self, folder):
        self._folder = folder
        self.gateways = []

    def __call__(self, namespace, arguments, label, **options):
        self.gateways.append(
            gateway_module.Gateway(namespace, self._folder, arguments, label,
                                   **options))
        return self.gateways[-1]

    def pair(self, topology, variant, hub_tunnel="10.0.0.1/24",
             client_tunnel="10.0.0.2/24", family=4, flags=(), hub_flags=()):
        """A hub and a client that is up."""
        hub = self(topology.hub.namespace, [
            *gateway_module.server_arguments(
                hub_tunnel, variant, "0.0.0.0" if family == 4 else "::"),
            *flags, *hub_flags
        ], "hub")
        client = self(topology.client.namespace, [
            *gateway_module.client_arguments(topology.hub.outer(family),
                                             client_tunnel, variant), *flags
        ], "client")
        client.wait_up()
        hub.wait_up()
        for side in (hub, client):
            variant.assert_ran(side)
            side.wait_status(
                lambda status: sum(lane["sending"] for lane in
                                   status["peers"][0]["lane_list"])
                == variant.workers, 10, "a lane for each worker")
        return hub, client


class _NoStarter:
    gateways = ()


_NO_STARTER = _NoStarter()


@pytest.fixture
def start(folder):
    starter = _Starter(folder)
    yield starter
    running = [gateway for gateway in starter.gateways if gateway.running()]
    for gateway in running:
        gateway.process.terminate()
    ended = [(gateway.label, gateway.wait_exit(5)) for gateway in running]
    # What those leave that a test has killed: the next test starts clean.
    shutil.rmtree("/run/lightweight-tunnel", ignore_errors=True)
    shutil.rmtree("/var/lib/lightweight-tunnel", ignore_errors=True)
    assert all(status == 0 for _, status in ended), ended
    for gateway in starter.gateways:
        assert "forbidden system call" not in gateway.log(), gateway.label


@pytest.fixture(params=VARIANTS, ids=str)
def variant(request):
    return request.param


@pytest.fixture(params=FULL, ids=str)
def every_variant(request):
    """For ping, bulk transfer and a kill: all that can be combined."""
    return request.param
