"""What pages and comments point to is there: files of this tree, headings of
pages. (CHANGELOG.md tells of what was.)"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
LAYERS = ("control", "dataplane", "drivers", "tests", "scripts")
PAGES = sorted(
    {ROOT / "README.md", *(ROOT / "docs").rglob("*.md"),
     *(page for layer in LAYERS for page in (ROOT / layer).rglob("*.md"))}
    - {ROOT / "docs/CHANGELOG.md"})
SOURCES = sorted(
    file for layer in LAYERS for file in (ROOT / layer).rglob("*")
    if file.suffix in (".cc", ".h", ".py", ".sh", ".build"))
# A path from the root of the tree, without a file's ending perhaps.
NAMED = re.compile(r"(?<![\w/.<-])(?:control|dataplane|drivers|tests|scripts|"
                   r"docs)/[\w./-]*[\w/](?![\w*{-])")
# A part that stands for what differs, such as tests/fuzz/NAME_fuzz.cc.
PLACEHOLDER = re.compile(r"NAME|(?:^|/)[A-Z]{3,}(?:/|$)")
PROGRAMS = {
    program for build in ROOT.glob("tests/**/meson.build")
    for program in re.findall(r"executable\('([\w.-]+)'",
                              build.read_text(encoding="utf-8"))}
LINK = re.compile(r"\]\(\s*([^)\s#]*)(?:#([^)\s]*))?\)")
# With a heading behind it: by "#", or in quotation marks behind a comma.
CITED = re.compile(r"docs/([\w-]+\.md)(?:#([\w-]+)|,\s+\"([^\"]+)\")")


def there(name):
    """Whether it is a file, perhaps without its ending, or a folder, or a
    program that is built there."""
    path = ROOT / name
    return (path.exists() or any(path.parent.glob(path.name + ".*")) or
            path.parent.exists() and path.name in PROGRAMS)


def anchors(page):
    """Of its headings, as web pages of it have them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"),
                  flags=re.DOTALL | re.MULTILINE)
    return {anchor(heading) for heading in
            re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def anchor(heading):
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")


def line(text, at):
    return text.count("\n", 0, at) + 1


def wrong_paths(page):
    text = page.read_text(encoding="utf-8")
    for match in NAMED.finditer(text):
        if not PLACEHOLDER.search(match.group()) and not there(match.group()):
            yield f"{page.relative_to(ROOT)}:{line(text, match.start())}: " \
                  f"{match.group()}"


def wrong_links(page):
    text = page.read_text(encoding="utf-8")
    for match in LINK.finditer(text):
        name, heading = match.groups()
        if ":" in name:
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (heading and
                                   heading not in anchors(target)):
            yield f"{page.relative_to(ROOT)}:{line(text, match.start())}: " \
                  f"{match.group()}"


def wrong_citations(source):
    """Of comments, which may go over several lines."""
    text = re.sub(r"\n[ \t]*(?://|#)[ \t]?", "\n",
                  source.read_text(encoding="utf-8"))
    for match in CITED.finditer(text):
        page, heading, title = match.groups()
        target = ROOT / "docs" / page
        wanted = heading or anchor(" ".join(title.split()))
        if not target.exists() or wanted not in anchors(target):
            yield f"{source.relative_to(ROOT)}:{line(text, match.start())}: " \
                  f"{match.group()}"


def test_a_page_names_files_that_are_there():
    assert len(PAGES) > 80
    assert there("control/session/session") and not there("control/peer")
    assert [wrong for page in PAGES for wrong in wrong_paths(page)] == []


def test_a_link_leads_somewhere():
    assert [wrong for page in PAGES for wrong in wrong_links(page)] == []


def test_a_comment_cites_a_heading_that_is_there():
    assert "publish-and-sleep" in anchors(ROOT / "docs/architecture.md")
    assert [wrong for source in SOURCES
            for wrong in wrong_citations(source)] == []
