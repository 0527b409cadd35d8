"""UDP that must not be fragmented, as large as its sender believes to fit.

    df_udp.py receive ADDRESS PORT SECONDS
    df_udp.py send ADDRESS PORT SECONDS

The sender begins with the device's MTU, follows what the kernel learns of
ICMP, and prints for each datagram, in the order of sending, its size and
whether an error told of it: a line of JSON, [[seconds, size, told], ...]. The
receiver prints the numbers of those that came."""

import json
import socket
import struct
import sys
import time

_GAP_S = 0.02
# linux/in.h and linux/in6.h, which Python does not name.
_IP = {"discover": 10, "mtu": 14, "errors": 11, "level": socket.IPPROTO_IP}
_IPV6 = {"discover": 23, "mtu": 24, "errors": 25,
         "level": socket.IPPROTO_IPV6}
_DO = 2
_ERRORS = 0x2000  # MSG_ERRQUEUE


def _open(address):
    if ":" in address:
        return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), _IPV6, 48
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM), _IP, 28


def _told(udp):
    """Numbers of the datagrams that the error queue quotes."""
    numbers = set()
    while True:
        try:
            data = udp.recvmsg(2048, 512, _ERRORS | socket.MSG_DONTWAIT)[0]
        except OSError:
            return numbers
        if len(data) >= 4:
            numbers.add(struct.unpack("!I", data[:4])[0])


def _send(address, port, seconds):
    udp, names, headers = _open(address)
    udp.setsockopt(names["level"], names["discover"], _DO)
    udp.setsockopt(names["level"], names["errors"], 1)
    udp.connect((address, port))
    began = time.monotonic()
    sent = []
    while time.monotonic() - began < seconds:
        size = udp.getsockopt(names["level"], names["mtu"]) - headers
        number = struct.pack("!I", len(sent))
        try:
            udp.send(number + bytes(size - len(number)))
            sent.append([time.monotonic() - began, size + headers, False])
        except OSError:
            pass  # the next one is smaller, or there is no way just now
        for told in _told(udp):
            if told < len(sent):
                sent[told][2] = True
        time.sleep(_GAP_S)
    time.sleep(1)
    for told in _told(udp):
        if told < len(sent):
            sent[told][2] = True
    print(json.dumps(sent))


def _receive(address, port, seconds):
    udp, _, _ = _open(address)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    udp.bind((address, port))
    print("ready", flush=True)
    udp.settimeout(0.2)
    end = time.monotonic() + seconds
    numbers = []
    while time.monotonic() < end:
        try:
            numbers.append(struct.unpack("!I", udp.recv(4096)[:4])[0])
        except socket.timeout:
            continue
    print(json.dumps(numbers))


if __name__ == "__main__":
    act = {"send": _send, "receive": _receive}[sys.argv[1]]
    act(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
