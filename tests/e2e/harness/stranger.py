"""Keeps connections of the kernel's open that prove nothing, and replaces those
that the other side ends. Ends with its standard input.

usage: stranger.py ADDRESS PORT CONNECTIONS front|hole

`front` begins as a TLS record that is no hello of a client's and goes on with
12 KiB at once. `hole` sends one byte in a segment of its own, which the test has
the router drop, and then four runs of segments.
"""

import errno
import select
import socket
import sys
import time

# Two segments, which the kernel sends as one frame; four of them and the byte
# before are what a connection may send unasked.
_RUN = 2200
# New connections in a second, so that the attacker leaves the others a core.
_PACE = 400


def _open(address, port):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    result = connection.connect_ex((address, port))
    assert result in (0, errno.EINPROGRESS), errno.errorcode[result]
    return connection


def _speak(connection, kind):
    if kind == "front":
        connection.send(b"\x16\x03\x01\x3f\x00" + bytes(12 << 10))
        return
    connection.send(b"\x16")
    for _ in range(4):
        connection.send(bytes(_RUN))


def _serve(poll, connections, fd, event, kind):
    """Speaks when the connection stands; False once it has ended."""
    connection = connections[fd]
    try:
        if event & select.POLLOUT:
            _speak(connection, kind)
            poll.modify(fd, select.POLLIN)
        elif not connection.recv(4096):
            return False
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def main(address, port, count, kind):
    poll, connections = select.poll(), {}
    poll.register(sys.stdin, select.POLLIN | select.POLLHUP)
    next_open = time.monotonic()
    while True:
        now = time.monotonic()
        while len(connections) < count and now >= next_open:
            connection = _open(address, port)
            connections[connection.fileno()] = connection
            poll.register(connection, select.POLLOUT | select.POLLIN)
            next_open = max(next_open, now - 0.05) + 1 / _PACE
        for fd, event in poll.poll(20):
            if fd == sys.stdin.fileno():
                return
            if not _serve(poll, connections, fd, event, kind):
                poll.unregister(fd)
                connections.pop(fd).close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
