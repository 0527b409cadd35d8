"""One end of a bulk transfer; both print the byte count and the SHA-256.

usage: bulk.py receive ADDRESS PORT | bulk.py send ADDRESS PORT BYTES SEED
"""

import hashlib
import random
import socket
import sys

_CHUNK = 1 << 16


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive(address, port):
    listener = socket.create_server((address, port), family=_family(address))
    print("ready", flush=True)
    connection, _ = listener.accept()
    digest, size = hashlib.sha256(), 0
    while chunk := connection.recv(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    print(size, digest.hexdigest())


def send(address, port, size, seed):
    source = random.Random(seed)
    digest, left = hashlib.sha256(), size
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.settimeout(30)
        while left:
            chunk = source.randbytes(min(_CHUNK, left))
            connection.sendall(chunk)
            digest.update(chunk)
            left -= len(chunk)
    print(size, digest.hexdigest())


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2], int(sys.argv[3]))
    else:
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]),
             int(sys.argv[5]))
