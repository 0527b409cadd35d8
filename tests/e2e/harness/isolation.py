"""Puts the test process in mount and network namespaces of its own.

What a gateway leaves on a host (links, nft tables, files under /run, shared
memory) is then seen apart from everything else on the machine, and is gone
with the test process whatever happens.
"""

import ctypes
import os
import subprocess

_CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_MS_BIND = 4096
_PACKAGES = "/var/lib/dpkg"

# The network that the tests have left, once they have.
outside = []

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def isolate():
    """Call once, before any test; threads started before stay outside. Each
    process of pytest-xdist calls it for itself, so that tests which run side
    by side share no name, no path and no table."""
    outside.append(os.open("/proc/self/ns/net", os.O_RDONLY))
    _check(_libc.unshare(_CLONE_NEWNS | CLONE_NEWNET), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    # What is installed stays to be seen.
    packages = os.open(_PACKAGES, os.O_PATH) if os.path.isdir(
        _PACKAGES) else None
    for path in ("/run", "/dev/shm", "/var/lib"):
        cover(path)
    if packages is not None:
        os.mkdir(_PACKAGES)
        # mount(8) would take the descriptor for the path it once had.
        _check(_libc.mount(f"/proc/self/fd/{packages}".encode(),
                           _PACKAGES.encode(), None, _MS_BIND, None), "mount")
        os.close(packages)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def cover(path):
    """Hides a folder of the host behind an empty one, for this process."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)


def uncover(path):
    subprocess.run(["umount", path], check=True)


def die_with_parent():
    """For a child before exec: it never outlives the test process."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl")


def enter_network(fd):
    """Moves the calling thread to the network namespace of `fd`."""
    _check(_libc.setns(fd, CLONE_NEWNET), "setns")
