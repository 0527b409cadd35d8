"""What bash and zsh themselves make of a beginning and a tab, at a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

PAGES = os.environ["MANUAL_PAGES"]
LIMIT_S = 30
# By shell: how it is started, and what makes it know the two programs.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "source ./lightweight-tunnel.bash; source ./lwtctl.bash"),
    "zsh": (["zsh", "-f", "-i"],
            "fpath=($PWD $fpath); autoload -U compinit; compinit -u -D"),
}


class Shell:
    def __init__(self, words, folder):
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, {**os.environ, "TERM": "dumb"})
        self._seen = ""

    def type(self, text):
        os.write(self._terminal, text.encode())

    def expect(self, pattern):
        """Reads on until it matches; what was read is gone then."""
        end = time.monotonic() + LIMIT_S
        while not (found := re.search(pattern, self._seen)):
            left = end - time.monotonic()
            assert left > 0, (pattern, self._seen)
            if select.select([self._terminal], [], [], left)[0]:
                self._seen += os.read(self._terminal, 65536).decode(
                    errors="replace").replace("\a", "")
        self._seen = self._seen[found.end():]

    def end(self):
        os.close(self._terminal)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    for program in ("lightweight-tunnel", "lwtctl"):
        text = subprocess.run([PAGES, f"{program}.{request.param}"],
                              stdout=subprocess.PIPE, check=True).stdout
        name = f"_{program}" if request.param == "zsh" else f"{program}.bash"
        (tmp_path / name).write_bytes(text)
    (tmp_path / "office.toml").touch()
    words, prepare = SHELLS[request.param]
    started = Shell(words, tmp_path)
    # The quotes keep the echo of what is typed from looking like the answer.
    started.type(f"{prepare}; echo rea''dy\n")
    started.expect("ready")
    yield started
    started.end()


def test_a_tab_completes(shell):
    for begun, completed in (
            ("lightweight-tunnel -tun-n", "-tun-name"),
            ("lightweight-tunnel -m s", "-m server"),
            ("lightweight-tunnel -uplink=af_x", "-uplink=af_xdp"),
            ("lightweight-tunnel -multi-client=f", "-multi-client=false"),
            ("lightweight-tunnel -c off", "-c office.toml"),
            ("lightweight-tunnel genk", "genkey"),
            ("lwtctl stat", "status"),
            ("lwtctl peer unb", "peer unban"),
            ("lwtctl -socket off", "-socket office.toml"),
            ("lwtctl status -js", "-json")):
        shell.type(begun + "\t")
        shell.expect(re.escape(completed))
        # Control-U: the line is empty again.
        shell.type("\x15")
