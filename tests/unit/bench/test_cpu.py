"""CPU time from what the kernel prints."""

import os
import subprocess
import sys

import pytest

from suite import cpu, facts, quiet

_TICKS = os.sysconf("SC_CLK_TCK")


def test_stat_of_a_process_with_an_odd_name():
    fields = ["S", *["0"] * 10, "250", "50", *["0"] * 20]
    text = "42 (a ) b) " + " ".join(fields)
    assert cpu.stat_seconds(text) == pytest.approx(300 / _TICKS)


def test_busy_leaves_idle_and_waiting_out():
    text = "cpu  1 2 4 1000 1000 8 16 32 64 128\ncpu0 9 9 9 9 9 9 9 9 9 9\n"
    assert cpu.busy_seconds(text) == pytest.approx(63 / _TICKS)


def test_cgroup_meter_reads_its_usage(tmp_path):
    meter = cpu.CgroupMeter("trial", root=tmp_path)
    folder, = tmp_path.iterdir()
    (folder / "cpuacct.usage").write_text("1500000000\n")
    assert meter.seconds() == 1.5
    meter.add(77)
    assert (folder / "cgroup.procs").read_text() == "77"


def test_unified_meter_reads_its_usage(tmp_path):
    meter = cpu.UnifiedMeter("trial", root=tmp_path)
    folder, = tmp_path.iterdir()
    (folder / "cpu.stat").write_text(
        "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n")
    assert meter.seconds() == 2.5


def test_whom_interrupts_are_charged_to():
    assert "apart" in facts.irq_time("X=y\nCONFIG_IRQ_TIME_ACCOUNTING=y\n")
    assert "program" in facts.irq_time(
        "# CONFIG_IRQ_TIME_ACCOUNTING is not set\n")
    assert facts.irq_time(None) == "unknown"


def test_the_run_counts_its_parts():
    machine = cpu.Machine()
    try:
        meter = machine.meter("trial")
        child = subprocess.Popen([sys.executable, "-c",
                                  "import sys\nsys.stdin.readline()\n"
                                  "while True: pass"], stdin=subprocess.PIPE)
        meter.add(child.pid)
        before = machine.run_seconds(), meter.seconds()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        while meter.seconds() < before[1] + 0.05:
            assert child.poll() is None
        # An ordinary user has no control group for it, which would outlive it.
        assert machine.run_seconds() >= before[0] + 0.05
        child.kill()
        child.wait()
        child.stdin.close()
        machine.drop(meter)
    finally:
        machine.delete()


def test_a_busy_process_is_seen():
    child = subprocess.Popen([sys.executable, "-c",
                              "print('x', flush=True)\nwhile True: pass"],
                             stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"x\n"
        meter = cpu.ProcMeter("trial")
        meter.add(child.pid)
        before = meter.seconds()
        for _ in range(200_000):
            if meter.seconds() >= before + 0.05:
                break
        assert meter.seconds() >= before + 0.05
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_probe_runs_on_each_cpu_and_restores_the_mask():
    allowed = os.sched_getaffinity(0)
    assert quiet.probe(allowed) > 0
    assert os.sched_getaffinity(0) == allowed
