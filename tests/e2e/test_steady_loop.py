"""What a worker asks of the kernel while traffic flows: its ports, and to
sleep; nothing else."""

from harness.trace import SystemCalls, worker_threads
from harness.traffic import Iperf

_SECONDS = 10
# The tunnel device and the packet or XDP socket.
_PORTS = {"read", "write", "readv", "writev", "recvmmsg", "sendmmsg",
          "recvmsg", "sendmsg", "recvfrom", "sendto", "poll"}
# Sleeping, and the event that ends it.
_SLEEP = {"epoll_wait", "epoll_pwait", "epoll_pwait2"}


def test_worker_under_load_calls_its_ports_only(topology, start, variant,
                                                folder):
    sides = start.pair(topology, variant)
    traced = [SystemCalls(thread, folder) for side in sides
              for thread in worker_threads(side)]
    report = Iperf(topology.hub.namespace, topology.client.namespace,
                   "10.0.0.1", seconds=_SECONDS).result()
    calls = [one.stop() for one in traced]
    assert report["end"]["sum_received"]["bytes"] > 10_000_000
    # The sender's side and the receiver's have both been busy.
    assert sum(sum(seen.values()) > 1000 for seen in calls) >= 2, calls
    for seen in calls:
        assert set(seen) <= _PORTS | _SLEEP, seen
