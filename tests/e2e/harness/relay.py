"""Accepts connections and makes each again to another place.

usage: relay.py LISTEN-PORT ADDRESS PORT
"""

import socket
import sys
import threading

_CHUNK = 1 << 16


def _end(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _copy(source, target):
    try:
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    except OSError:
        pass
    _end(source)
    _end(target)


def _serve(visitor, address):
    try:
        server = socket.create_connection(address, 5)
    except OSError:
        visitor.close()
        return
    server.settimeout(None)
    for one in (visitor, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=_copy, args=(server, visitor))
    back.start()
    _copy(visitor, server)
    back.join()
    visitor.close()
    server.close()


def main():
    listener = socket.create_server(("", int(sys.argv[1])))
    print("ready", flush=True)
    while True:
        visitor, _ = listener.accept()
        threading.Thread(target=_serve,
                         args=(visitor, (sys.argv[2], int(sys.argv[3]))),
                         daemon=True).start()


if __name__ == "__main__":
    main()
