"""A stream of UDP datagrams and its delays, one way, on one machine's clock.

usage: stream_probe.py receive ADDRESS SECONDS          prints "ready", then a
                       JSON list of microseconds, one a datagram that came
       stream_probe.py send ADDRESS SECONDS SIZE RATE   prints how many it sent
"""

import json
import socket
import struct
import sys
import time

_PORT = 7107
_HEAD = struct.Struct("!QQ")  # number, monotonic nanoseconds


def receive(address, seconds):
    end = time.monotonic() + seconds
    inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    inbox.bind((address, _PORT))
    print("ready", flush=True)
    delays = {}
    while (left := end - time.monotonic()) > 0:
        inbox.settimeout(left)
        try:
            datagram = inbox.recv(2048)
        except TimeoutError:
            break
        now = time.monotonic_ns()
        number, sent = _HEAD.unpack_from(datagram)
        delays.setdefault(number, (now - sent) // 1000)
    print(json.dumps(list(delays.values())))


def send(address, seconds, size, rate):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    filling = bytes(size - _HEAD.size)
    begun = time.monotonic()
    count = int(seconds * rate)
    for number in range(count):
        wait = begun + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        out.sendto(_HEAD.pack(number, time.monotonic_ns()) + filling,
                   (address, _PORT))
    print(count)


if __name__ == "__main__":
    mode, target, *numbers = sys.argv[1:]
    if mode == "receive":
        receive(target, float(numbers[0]))
    else:
        send(target, float(numbers[0]), int(numbers[1]), int(numbers[2]))
