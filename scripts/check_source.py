"""Checks what no formatter does: sizes of files and functions, that includes
go one way, control -> dataplane -> drivers and from room to room inside each of
them, that a file uses the names it takes over by using, that a line of the log
that a peer or a stranger can cause goes through what bounds it, that what one
object owns is changed by it alone, that nobody overlooks what a parser or a push
says, that a stage begins by saying what it does, and that comments, messages and
pages are plain current English.

usage: check_source.py FILE...    prints findings, exits 1 when there are any
"""

import pathlib
import re
import sys

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
LAYERS = {"drivers": 0, "dataplane": 1, "control": 2}
FORBIDDEN = {"drivers": {"tests"}, "dataplane": {"tests", "absl"},
             "control": {"tests"}}
# The rooms of each layer from the ground up: a file includes what lies in its own
# room or in one below, never above. A word is a folder, or the beginning of a
# file's name; the longest that fits counts.
ROOMS = {
    "drivers": [
        "drivers/",
        "drivers/tun/",
        "drivers/ports/",
    ],
    "dataplane": [
        # Words and numbers that all stages share.
        "dataplane/braced_number. dataplane/clock. dataplane/drop_reason. "
        "dataplane/event_budget. dataplane/fair_shares. "
        "dataplane/frame_ledger. dataplane/golden_ratio. dataplane/names. "
        "dataplane/shown_losses. dataplane/sip_hash. dataplane/work_shares.",
        "dataplane/wire/",
        # What a lane knows of loss, without the groups.
        "dataplane/fec/parameters. dataplane/fec/loss_meter. "
        "dataplane/fec/parity_budget. dataplane/fec/policy.",
        "dataplane/tx_batch.",
        "dataplane/flow/",
        "dataplane/lane/",
        "dataplane/burst.",
        "dataplane/fec/",
        "dataplane/route/",
        "dataplane/exchange/",
        "dataplane/stages/cut_pieces.",
        "dataplane/stages/device_queue.",
        "dataplane/stages/flood_queue.",
        # All that a stage works on.
        "dataplane/worker_options. dataplane/idle_policy. dataplane/lan_state. "
        "dataplane/worker_state.",
        "dataplane/stages/",
        "dataplane/",
    ],
    "control": [
        "control/base/",
        "control/service/",
        "control/handshake/",
        "control/api/",
        "control/telemetry/",
        "control/config/",
        "control/migrate/",
        "control/loop/",
        "control/host/net/",
        "control/host/guard/",
        "control/host/instance/",
        "control/web/",
        "control/workers/",
        "control/nat/",
        "control/routing/",
        "control/session/",
        "control/rotation/",
        "control/fallback/",
        "control/client/ control/hub/",
        "control/platform/",
        "control/cli/",
        "control/",
    ],
}

TOKEN = re.compile(
    r'R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)"'  # raw string
    r'|"(?:\\.|[^"\\\n])*"'  # string
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"  # character, not 1'000
    r"|//[^\n]*|/\*.*?\*/"  # comment
    r"|^[ \t]*\#(?:\\\n|[^\n])*",  # preprocessor line
    re.DOTALL | re.MULTILINE)
ALIGNAS = re.compile(r"\balignas\([^)]*\)")
USING = re.compile(r"\busing\s+(?:\w+|::)+::(\w+)\s*;")
# Where all that is logged is caused from outside: each line names its cause,
# which RemoteLog alone takes.
REMOTE_FILES = re.compile(r"control/(workers|session|client|hub|fallback)/")
LOG_CALL = re.compile(r"\blog_?(?:\.|->)"
                      r"(?:(?:Error|Warn|Info|Debug)\(|Tell\(\s*[\w:]+,)"
                      r"(?!\s*(?:loop::)?Cause::)")
# What one file alone calls, since one object owns what it changes.
OWNED_CALLS = {
    "SetLinkMtu": ("control/platform/tunnel_device.cc", "control/host/net/netlink."),
}
# False from these is bad input, or something that found no room.
ANSWERS = re.compile(
    r"^[ \t]*(\[\[nodiscard\]\]\s*)?(?:(?:static|inline|virtual|constexpr)\s+)*"
    r"bool\s+((?:Parse|Push|TryPush|Put|Insert|Give)\w*)\s*\(", re.MULTILINE)
# What is no current English, and what to say: a thing is "it", who connects
# without the key is a prober.
WORDS = {
    "he": "it, or they", "him": "it, or them", "his": "its, or their",
    "but for": "except for", "parted": "separated", "anew": "again",
    "of late": "lately", "the begin": "the start", "shall": "is to",
    "visitor": "prober", "visitors": "probers", "hence": "so", "mend": "fix", "mends": "fixes",
    "mended": "fixed", "mending": "fixing",
}
WORD = re.compile(r"\b(?:" + r"|".join(WORDS).replace(" ", r"\s+(?:(?://|#)\s*)?")
                  + r")\b", re.IGNORECASE)
# Of a page: blocks and spans of code, and where a link leads.
MARKUP = re.compile(r"^```.*?^```|`[^`\n]+`|\]\([^)]*\)|<[^>\n]*>",
                    re.DOTALL | re.MULTILINE)
PYTHON_PROSE = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"""|(?<!["\'])#[^\n]*')
SCOPE = re.compile(r"\b(namespace|class|struct|union|enum)\b|extern\s*\"")


def blank(match):
    """Keeps only the line ends of what TOKEN matched."""
    return re.sub(r"[^\n]", " ", match.group())


def functions(text):
    """Yields (first line, last line, head) of each function body."""
    code = TOKEN.sub(blank, text)
    stack = []  # of (is a scope, start of head, head)
    head_start = 0
    for at, char in enumerate(code):
        if char in ";{}":
            head = ALIGNAS.sub("", code[head_start:at])
            if char == "{":
                scope = bool(SCOPE.search(head)) and "(" not in head
                scope = scope or (not head.strip() and not stack)
                indent = len(code[head_start:at]) - len(
                    code[head_start:at].lstrip())
                stack.append((scope, head_start + indent, head.strip()))
            elif char == "}" and stack:
                scope, start, head = stack.pop()
                outer = all(entry[0] for entry in stack)
                if not scope and outer and "(" in head:
                    yield (code.count("\n", 0, start) + 1,
                           code.count("\n", 0, at) + 1, head)
            head_start = at + 1


def check_functions(path, text):
    for first, last, head in functions(text):
        lines = last - first + 1
        if lines > MAX_FUNCTION_LINES:
            name = re.split(r"\(", head)[0].split()[-1]
            yield f"{path}:{first}: {name} has {lines} lines, " \
                  f"{MAX_FUNCTION_LINES} are allowed"


def check_includes(path, text):
    layer = LAYERS.get(path.parts[0])
    if layer is None:
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^/"]+)/', line)
        if not match:
            continue
        if LAYERS.get(match.group(1), -1) > layer or (
                match.group(1) in FORBIDDEN.get(path.parts[0], ())):
            yield f"{path}:{number}: {path.parts[0]} may not include " \
                  f"{match.group(1)}/"


def room_of(layer, path):
    """The room's place from the ground up, and the word that told it."""
    fits = [(len(word), place, word)
            for place, words in enumerate(ROOMS[layer])
            for word in words.split() if path.startswith(word)]
    return max(fits)[1:]


def unknown_folder(layer, path):
    """A folder without a room of its own falls to the root's, at the top."""
    folder = path.rpartition("/")[0]
    return folder != layer and not any(
        word.startswith(f"{folder}/")
        for words in ROOMS[layer] for word in words.split())


def check_rooms(path, text):
    layer = path.parts[0]
    if layer not in ROOMS:
        return
    if unknown_folder(layer, path.as_posix()):
        yield f"{path}:1: {path.parent} has no place in ROOMS of " \
              "scripts/check_source.py"
        return
    own, name = room_of(layer, path.as_posix())
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(rf'\s*#\s*include\s+"({layer}/[^"]+)"', line)
        if match and room_of(layer, match.group(1))[0] > own:
            yield f"{path}:{number}: {name} lies below " \
                  f"{room_of(layer, match.group(1))[1]} and may not include it"


def check_usings(path, text):
    """clang-tidy sees these in the file alone that it was started on."""
    code = TOKEN.sub(blank, text)
    for match in USING.finditer(code):
        if len(re.findall(rf"\b{match.group(1)}\b", code)) == 1:
            line = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match.group(1)} is not used"


def check_logs(path, text):
    if not REMOTE_FILES.match(path.as_posix()):
        return
    code = TOKEN.sub(blank, text)
    for match in LOG_CALL.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        yield f"{path}:{line}: a line that a peer or a stranger can cause " \
              "names its loop::Cause"


def check_owned_calls(path, text):
    if path.parts[0] not in LAYERS:
        return
    code = TOKEN.sub(blank, text)
    for name, (owner, definition) in OWNED_CALLS.items():
        if path.as_posix() == owner or path.as_posix().startswith(definition):
            continue
        for match in re.finditer(rf"\b{name}\s*\(", code):
            line = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {name} is called by {owner} alone"


def check_answers(path, text):
    if path.parts[0] not in LAYERS:
        return
    code = TOKEN.sub(blank, text)
    for match in ANSWERS.finditer(code):
        if not match.group(1):
            line = code.count("\n", 0, match.start(2)) + 1
            yield f"{path}:{line}: {match.group(2)} is to be [[nodiscard]]"


def check_opening(path, text):
    if path.parent.as_posix() == "dataplane/stages" and not text.startswith(
            "// "):
        yield f"{path}:1: begin with a sentence that says what it does"


def prose(path, text):
    """What is there to be read by people, all else blank."""
    if path.suffix == ".md":
        return MARKUP.sub(blank, text)
    kept = list(re.sub(r"[^\n]", " ", text))
    pattern = PYTHON_PROSE if path.suffix == ".py" else TOKEN
    for match in pattern.finditer(text):
        if not match.group().lstrip().startswith("#") or path.suffix == ".py":
            kept[match.start():match.end()] = match.group()
    return "".join(kept)


def check_words(path, text):
    readable = prose(path, text)
    for match in WORD.finditer(readable):
        word = " ".join(re.findall(r"[a-z]+", match.group().lower()))
        line = readable.count("\n", 0, match.start()) + 1
        yield f"{path}:{line}: say \"{WORDS[word]}\" for \"{word}\""


def main():
    findings = []
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > MAX_FILE_LINES:
            findings.append(f"{path}:1: {lines} lines, {MAX_FILE_LINES} are "
                            "allowed")
        findings += check_words(path, text)
        if path.suffix in (".h", ".cc"):
            findings += check_functions(path, text)
            findings += check_includes(path, text)
            findings += check_rooms(path, text)
        if path.suffix == ".h":
            findings += check_answers(path, text)
        if path.suffix == ".cc":
            findings += check_opening(path, text)
            findings += check_usings(path, text)
            findings += check_logs(path, text)
            findings += check_owned_calls(path, text)
    print("\n".join(findings), end="\n" if findings else "")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
