"""Prints docs/rooms.md: the rooms of each layer, and which includes which, as
the tree is. What a room is, is the first sentence of its README.

usage: print_rooms.py > docs/rooms.md
"""

import pathlib
import re

from check_source import ROOMS, room_of

ROOT = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = r'^\s*#\s*include\s+"({layer}/[^"]+)"'
# Rooms that are files of a folder with others, and what a layer has at its top.
WHAT = {
    "control/": "composition: a gateway out of the rooms below",
    "dataplane/braced_number.": "words and numbers that all stages share",
    "dataplane/fec/parameters.": "what a lane knows of loss, without the groups",
    "dataplane/tx_batch.": "frames about to leave",
    "dataplane/burst.": "what stages work on",
    "dataplane/stages/cut_pieces.": "parts of records that were cut on the way",
    "dataplane/stages/device_queue.":
        "what was read ahead of the tunnel device",
    "dataplane/stages/flood_queue.": "packets for many",
    "dataplane/worker_options.": "all that a stage works on",
    "dataplane/": "the pipeline, the worker's loop and commands",
}
INTRODUCTION = """\
The three layers are divided into rooms. A file includes what lies in its own
room, in one below, or in a layer below; `scripts/check_source.py` refuses the
rest. In the pictures a row is who includes and a column is what is included: all
marks lie left of the diagonal, and one on its right would be an arrow up."""
LAYERS = {
    "control": "One thread; the host, peers and keys",
    "dataplane": "What is done per packet; std types only",
    "drivers": "Bytes: DPDK, kernel sockets, SIMD libraries",
}


def first_sentence(folder):
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    paragraph = " ".join(text.split("\n\n")[1].split())
    sentence = re.split(r"(?<=[.;])\s", paragraph)[0]
    sentence = re.sub(r" \((?:\[|docs/).*\)(?=\.)", "", sentence)
    return sentence[0].lower() + sentence[1:].rstrip(".;")


def what(room):
    word = room.split()[0]
    if word in WHAT:
        return WHAT[word]
    return "; ".join(first_sentence(folder) for folder in room.split())


def name(room, layer):
    """`host/net`; of several files the first, and that there are more."""
    words = [word[len(layer) + 1:].rstrip("/.") for word in room.split()]
    if words == [""]:
        return f"{layer}/"
    if not room.split()[0].endswith("/") and len(words) > 1:
        return f"{words[0]} …"
    return " ".join(words)


def includes(layer):
    """(upper, lower) -> how many includes, by places from the ground up."""
    counts = {}
    for path in sorted((ROOT / layer).rglob("*")):
        if path.suffix not in (".cc", ".h"):
            continue
        own = room_of(layer, path.relative_to(ROOT).as_posix())[0]
        for included in re.findall(INCLUDE.format(layer=layer),
                                   path.read_text(encoding="utf-8"), re.M):
            pair = own, room_of(layer, included)[0]
            counts[pair] = counts.get(pair, 0) + 1
    return counts


def picture(layer):
    """A row for who includes, a column for what is included."""
    rooms = ROOMS[layer]
    used = includes(layer)
    width = max(len(name(room, layer)) for room in rooms)
    places = range(len(rooms))
    yield " " * (width + 4) + "".join(f"{place + 1:3}" for place in places)
    for row in reversed(places):
        marks = "".join("  ." if row == column else
                        "  x" if (row, column) in used else "   "
                        for column in places)
        yield f"{row + 1:2}  {name(rooms[row], layer):{width}}{marks}".rstrip()


def page():
    lines = [
        "# Rooms", "",
        "Printed by `scripts/print_rooms.py` from the tree; do not edit.", "",
        INTRODUCTION,
    ]
    for layer, known in LAYERS.items():
        lines += ["", f"## {layer}", "", known + ".", "",
                  "| | room | what it is |", "|---|---|---|"]
        for place, room in reversed(list(enumerate(ROOMS[layer], 1))):
            lines.append(f"| {place} | `{name(room, layer)}` | {what(room)} |")
        lines += ["", "```text", *picture(layer), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
