"""The README's tables say what is there: commands, parameters and links."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer

from cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the first table of a section, without its head."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def commands(group: typer.Typer, name: str) -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"`{name} {command.name or command.callback.__name__}`"
    for part in group.registered_groups:
        assert part.typer_instance is not None
        yield from commands(part.typer_instance, f"{name} {part.name}")


def test_every_command_is_listed_and_no_other() -> None:
    listed = [row[0] for row in rows_under("The `tds` command")]
    assert sorted(listed) == sorted(commands(app, "tds"))


def test_parameters_are_the_templates_with_its_defaults() -> None:
    template = (ROOT / "template.yaml").read_text("utf-8")
    section = template.split("\nParameters:\n", 1)[1].split("\nRules:\n", 1)[0]
    blocks = re.findall(r"^  (\w+):\n((?:    .*\n)+)", section, re.MULTILINE)
    defaults = {name: re.search(r"^    Default: (.*)$", block, re.MULTILINE) for name, block in blocks}
    for name, told, _ in rows_under("Configuration"):
        default = defaults[name.strip("`")]
        if default is None:
            assert told == "-", name
        elif default[1] == '""':
            assert told in ("none", "generated"), name
        else:
            assert told == f"`{default[1]}`", name


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_folders_exist() -> None:
    for row in rows_under("Layout"):
        for name in re.findall(r"`([\w./_]+)`", row[0]):
            assert (ROOT / name).exists(), name
