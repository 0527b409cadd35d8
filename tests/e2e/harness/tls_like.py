"""A server on the kernel's TCP with the manners of a gateway towards strangers:
a beginning of a TLS record is waited on, anything else is answered with an
alert and a close. Prints "ready" when it listens; runs until it is killed."""

import socket
import sys
import threading

_ALERT = bytes.fromhex("15030300020228")


def _serve(connection):
    with connection:
        data = b""
        try:
            while more := connection.recv(65536):
                data += more
                if not data.startswith(b"\x16"):
                    connection.sendall(_ALERT)
                    return
        except OSError:
            pass


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
