"""The page of requirements has a line for each box, and all that its lines name is there."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import typer

from cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "requirements.md"
REQUIRED = ROOT.parent / "shared" / "requirements.md"
BOXES = 106


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One box of the page."""

    heading: str
    box: str
    state: str
    by: str
    tests: tuple[str, ...]


def lines() -> list[Line]:
    found: list[Line] = []
    heading = ""
    for text in PAGE.read_text("utf-8").splitlines():
        if text.startswith("## "):
            heading = text.removeprefix("## ")
        elif heading and text.startswith("| ") and not text.startswith("| box |"):
            box, state, by, tests = (cell.strip() for cell in text.strip("|").split("|"))
            names = tuple(re.findall(r"`([^`]+)`", tests))
            found.append(Line(heading=heading, box=box, state=state, by=by, tests=names))
    return found


LINES = lines()


def required() -> Iterator[tuple[str, str]]:
    """Heading and words of each box of the requirements."""
    heading = ""
    for text in REQUIRED.read_text("utf-8").splitlines():
        if title := re.match(r"#{3,4} (.*)", text):
            heading = title[1]
        elif box := re.match(r"[□✓] (.*)", text):
            yield heading, box[1].rstrip(": ")


@cache
def functions_of(path: Path) -> frozenset[str]:
    module = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in module.body if isinstance(node, ast.FunctionDef))


def commands(group: typer.Typer, name: str) -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{name} {command.name or command.callback.__name__}"
    for part in group.registered_groups:
        assert part.typer_instance is not None
        yield from commands(part.typer_instance, f"{name} {part.name}")


def quoted(pattern: str) -> list[re.Match[str]]:
    """What the page quotes as code and matches as a whole."""
    spans = re.findall(r"`([^`]+)`", PAGE.read_text("utf-8"))
    return [match for span in spans if (match := re.fullmatch(pattern, span))]


def test_the_page_has_the_boxes_of_the_requirements_in_their_order() -> None:
    if not REQUIRED.exists():
        pytest.skip(f"the requirements themselves are not beside the project: no ../{REQUIRED.parent.name} there")
    assert [(line.heading, line.box) for line in LINES] == list(required())


def test_no_box_is_left_out_or_twice() -> None:
    assert len(LINES) == BOXES
    assert len({(line.heading, line.box) for line in LINES}) == BOXES


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.heading}: {line.box}")
def test_a_box_says_its_state_and_by_what(line: Line) -> None:
    assert re.fullmatch(r"built|otherwise|not yet: .+", line.state)
    assert line.by
    assert line.tests or line.state != "built" or "`make " in line.by, "a built box is shown by a test or measured"


def test_the_count_of_open_boxes_is_told_as_it_is() -> None:
    counts = {word: sum(line.state.startswith(word) for line in LINES) for word in ("built", "otherwise", "not yet")}
    told = "Of {} boxes {built} are built, {otherwise} otherwise, {not yet} not yet.".format(BOXES, **counts)
    assert told in PAGE.read_text("utf-8")


def test_named_tests_are_there() -> None:
    named = {name for line in LINES for name in line.tests}
    assert len(named) > 50
    for name in named:
        path, _, function = name.partition("::")
        assert function in functions_of(ROOT / "tests" / path), name


def test_named_commands_are_there() -> None:
    known = set(commands(app, "tds"))
    named = [match[0] for match in quoted(r"tds .*")]
    assert named
    for text in named:
        assert any(text == one or text.startswith(f"{one} ") for one in known), text


def test_named_make_targets_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {match[1] for match in quoted(r"make ([a-z-]+)")}
    assert named and named <= targets


def test_named_files_are_there() -> None:
    text = PAGE.read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    folders = r"(?:scripts|functions|layers|cli|docs|tests)/[\w./]+"
    assert links
    for name in links:
        assert (PAGE.parent / name).exists(), name
    for match in quoted(folders):
        assert (ROOT / match[0]).exists(), match[0]
