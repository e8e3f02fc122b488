"""docs/deploy.md as tests read it: its blocks of commands, each run or left out for a reason that it names."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "deploy.md").read_text("utf-8")
_BLOCK = re.compile(r"^```bash ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of commands; `mark` is what stands behind its language."""

    mark: str
    commands: str


def blocks() -> list[Block]:
    """Every block, in the order of the page."""
    return [Block(mark, commands) for mark, commands in _BLOCK.findall(TEXT)]


def choices() -> set[str]:
    """The variables that the reader fills in."""
    (block,) = (block for block in blocks() if block.mark == "choices")
    return set(re.findall(r"^(?:export )?(\w+)=", block.commands, re.MULTILINE))


def runnable() -> list[str]:
    """The commands that the emulator carries."""
    return [block.commands for block in blocks() if block.mark == "run"]
