"""The messages that pages for operators explain are those that the sources say,
whole: whoever has one on the screen finds it there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
# What stands for a part that differs.
PLACES = re.compile(r"\b(?:ADDRESS|DEVICE|KEY|N|NAME|NETWORK|PATH|TEXT|TIME|"
                    r"WHAT|WHY)\b")
SPAN = re.compile(r"``\s?(.+?)\s?``|`([^`]+)`")
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
ESCAPES = {r"\"": '"', r"\n": "\n", r"\\": "\\"}
# A message is put together where one of these is.
JOINTS = ("; ", ": ", ", ", ". ", " (", "(")


def messages(page):
    """Those of the first column of tables of messages."""
    found = []
    inside = False
    for line in page.splitlines():
        if not line.startswith("|"):
            inside = False
        elif re.match(r"\| (message|at start) \|", line):
            inside = True
        elif inside and not line.startswith("|---"):
            cell = re.split(r" \| ", line[2:])[0]
            found += [double or single for double, single in
                      SPAN.findall(cell)]
    return found


def literals():
    """The texts of the sources, those that stand side by side joined."""
    texts = []
    for layer in ("control", "dataplane", "drivers"):
        for path in sorted((ROOT / layer).rglob("*")):
            if path.suffix not in (".cc", ".h"):
                continue
            source = re.sub(r"^\s*#include.*$|//[^\n\"]*$", "",
                            path.read_text(encoding="utf-8"),
                            flags=re.MULTILINE)
            source = re.sub(r'(?<!\\)"\s*\n\s*"', "", source)
            for text in LITERAL.findall(source):
                for code, char in ESCAPES.items():
                    text = text.replace(code, char)
                texts.append(text)
    return "\0".join(texts)


def said(fragment, texts):
    """Whether the sources say it, in one text or in several with a joint."""
    fragment = fragment.strip()
    if fragment.strip(";:,.() ") == "" or fragment in texts:
        return True
    for joint in JOINTS:
        at = fragment.find(joint)
        while at >= 0:
            end = at + len(joint)
            for cut in (at, end):
                head, tail = fragment[:cut], fragment[cut:]
                if head.strip(";:,.() ") and head.strip() in texts and \
                        len(tail) < len(fragment) and said(tail, texts):
                    return True
            at = fragment.find(joint, end)
    return fragment[0] in ";:,.()" and said(fragment[1:], texts)


PAGE = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8")
                 for name in ("operations.md", "networks.md", "clients.md"))
TEXTS = literals()


def test_the_sources_are_read():
    assert len(messages(PAGE)) > 40
    assert said("cannot take TCP port ADDRESS".split(" ADDRESS")[0], TEXTS)
    assert not said("cannot take SCTP port", TEXTS)
    assert not said("it is in use by; stop that and choose", TEXTS)


def test_no_message_is_cut():
    assert "…" not in PAGE


@pytest.mark.parametrize("message", messages(PAGE))
def test_a_message_is_what_the_sources_say(message):
    for fragment in PLACES.split(message):
        assert said(fragment, TEXTS), fragment
