"""A name server of a network, and the host's file that names it."""

import contextlib
import socket
import struct
import subprocess
import threading


class NameServer:
    """Answers each question for an A record with one address, and any other
    with none. `asked`: the addresses that asked."""

    def __init__(self, namespace, address, answer):
        self._answer = socket.inet_aton(answer)
        self.asked = []
        self._socket = namespace.inside(
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            question, sender = self._socket.recvfrom(512)
            if not question:
                return
            self.asked.append(sender[0])
            self._socket.sendto(self._answer_to(question), sender)

    def _answer_to(self, question):
        """RFC 1035 §4.1: the question comes back, its name is pointed to."""
        end = question.index(0, 12) + 1
        is_a = question[end:end + 2] == b"\0\1"
        header = question[:2] + struct.pack("!HHHHH", 0x8180, 1, int(is_a), 0,
                                            0)
        record = struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + self._answer
        return header + question[12:end + 4] + (record if is_a else b"")

    def stop(self):
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def resolv_conf(path, text):
    """What /etc/resolv.conf says meanwhile, to this process and its own."""
    path.write_text(text)
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "/etc/resolv.conf"], check=True)
