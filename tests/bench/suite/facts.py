"""What the figures were taken on. No name of the host is among it."""

import gzip
import os
import pathlib
import platform
import re
import time

from harness.netns import run


def _first(pattern, path, default="unknown"):
    match = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
    return match.group(1).strip() if match else default


def irq_time(text):
    """Whom the kernel charges with interrupts, of its configuration."""
    if text is None:
        return "unknown"
    if re.search(r"^CONFIG_IRQ_TIME_ACCOUNTING=y", text, re.MULTILINE):
        return "accounted apart: in no program's CPU time"
    return "charged to the program that is interrupted"


def _kernel_configuration():
    for path, opener in ((pathlib.Path("/proc/config.gz"), gzip.open),
                         (pathlib.Path(f"/boot/config-{platform.release()}"),
                          open)):
        if path.exists():
            with opener(path, "rt") as text:
                return text.read()
    return None


def machine(cpus):
    flags = set(_first(r"^flags\s*:(.*)$", "/proc/cpuinfo", "").split())
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": _first(r"^model name\s*:(.*)$", "/proc/cpuinfo"),
        "cpus_used": sorted(cpus),
        "cpus_online": os.cpu_count(),
        "avx512": "avx512f" in flags,
        "vaes": "vaes" in flags,
        "virtual": "hypervisor" in flags,
        "kernel": platform.release(),
        "interrupts": irq_time(_kernel_configuration()),
        "memory_mib": int(_first(r"^MemTotal:\s*(\d+)",
                                 "/proc/meminfo", "0")) // 1024,
        "hugepages_free": int(_first(r"^HugePages_Free:\s*(\d+)",
                                     "/proc/meminfo", "0")),
        "congestion_control": pathlib.Path(
            "/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "iperf3": run("iperf3", "--version").stdout.split("\n", 1)[0],
        "load_average": round(os.getloadavg()[0], 2),
    }
