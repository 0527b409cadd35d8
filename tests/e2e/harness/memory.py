"""What a dump of a process' memory would have in it."""

import re

_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (r\S+) ")


def _regions(pid):
    """(start, size) of what is there, may be read, and is dumped: without the
    flag dd, of madvise(MADV_DONTDUMP) (proc(5), smaps)."""
    found, start, end, resident = [], 0, 0, False
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as maps:
        for line in maps:
            head = _HEAD.match(line)
            if head:
                start, end = int(head[1], 16), int(head[2], 16)
            elif re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                start = end = 0
            elif line.startswith("Rss:"):
                resident = int(line.split()[1]) > 0
            elif line.startswith("VmFlags:") and end > start:
                flags = line.split()[1:]
                # io: of a device, which no dump has.
                if resident and not {"dd", "io"} & set(flags):
                    found.append((start, end - start))
    return found


def found_in_dump(pid, patterns):
    """Those of `patterns`, which are bytes, that a core dump would have."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, size in _regions(pid):
            memory.seek(start)
            try:
                content = memory.read(size)
            except OSError:
                continue
            found |= {pattern for pattern in patterns if pattern in content}
    return found
