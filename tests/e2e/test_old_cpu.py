"""On a CPU that lacks what the gateway is compiled for it says so, in place of
dying of SIGILL; the tools that only talk to it run on any."""

import subprocess

import pytest

from harness.gateway import DAEMON, LWTCTL

# What each model lacks, by the names of /proc/cpuinfo.
MODELS = {
    "qemu64": ["avx2", "aes", "pclmulqdq", "bmi1", "bmi2", "fma", "movbe",
               "f16c", "abm"],
    "SandyBridge": ["avx2", "bmi1", "bmi2", "fma", "movbe", "f16c", "abm"],
    "max,-avx2": ["avx2"],
    "max,-aes": ["aes"],
    "max,-pclmulqdq": ["pclmulqdq"],
    "max,-bmi1": ["bmi1"],
    "max,-bmi2": ["bmi2"],
    "max,-fma": ["fma"],
    "max,-movbe": ["movbe"],
    "max,-f16c": ["f16c"],
    "max,-abm": ["abm"],
}


def run_on(model, *command):
    """Runs a program on a CPU that is emulated instruction by instruction."""
    done = subprocess.run(["qemu-x86_64", "-cpu", model, *command], text=True,
                          capture_output=True, timeout=60)
    said = [line for line in done.stderr.splitlines()
            if not line.startswith("qemu-x86_64: warning: ")]
    return done, said


@pytest.mark.parametrize("command", ["--version", "-preflight", "genkey"])
def test_a_new_cpu_will_do(command):
    done, said = run_on("Haswell-noTSX", DAEMON, command)
    assert "cpu" not in " ".join(said), said
    assert done.stdout
    assert "the CPU lacks" not in done.stdout


@pytest.mark.parametrize("model", MODELS)
def test_an_old_cpu_is_told(model):
    done, said = run_on(model, DAEMON, "--version")
    assert done.returncode == 1
    assert done.stdout == ""
    assert said[0] == ("lightweight-tunnel: the CPU lacks "
                       + ", ".join(MODELS[model])), said
    assert "-cpu host" in said[1]


def test_a_kernel_without_avx_is_told():
    done, said = run_on("max,-xsave", DAEMON, "--version")
    assert done.returncode == 1
    assert "the kernel does not save the registers of AVX" in said[0], said


@pytest.mark.parametrize("model", ["qemu64", "Nehalem"])
def test_lwtctl_runs_on_any(model):
    done, said = run_on(model, LWTCTL, "--version")
    assert done.returncode == 0, said
    assert done.stdout.startswith("lwtctl ")
