"""New versions of the gateway that are broken, each in its own way: a build
folder whose programs do all that a check before the swap asks."""

from harness.gateway import BUILD

# {real}: the true program. The service is whatever else is asked.
_HEAD = """#!/usr/bin/python3
import os, socket, sys, time
real = "{real}"
if "-v" in sys.argv or "-check-config" in sys.argv:
    os.execv(real, [real, *sys.argv[1:]])
def ready():
    path = os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1)
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", path)
"""
BROKEN = {
    "does not start": "sys.exit(1)\n",
    "never is ready": "time.sleep(3600)\n",
    "starts and dies": "ready()\ntime.sleep(1)\nsys.exit(1)\n",
    "starts and does not answer": "ready()\ntime.sleep(3600)\n",
}
# What an upgrade says of each.
SAID = {
    "does not start": "did not become ready",
    "never is ready": "did not become ready",
    "starts and dies": " ended",
    "starts and does not answer": "does not answer lwtctl",
}


def make(folder, how):
    folder.mkdir(exist_ok=True)
    program = folder / "lightweight-tunnel"
    program.write_text(_HEAD.format(real=BUILD.resolve() /
                                    "lightweight-tunnel") + BROKEN[how])
    program.chmod(0o755)
    for name in ("lwtctl", "manual-pages"):
        (folder / name).write_bytes((BUILD / name).read_bytes())
        (folder / name).chmod(0o755)
    return folder
