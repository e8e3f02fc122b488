"""The simulator's README names every quirk with its default."""

import re
from pathlib import Path

from cli.local import zoho_simulator
from cli.local.zoho_simulator.options import Quirks


def test_the_readme_names_every_quirk_with_its_default() -> None:
    readme = (Path(zoho_simulator.__file__).parent / "README.md").read_text("utf-8")
    told: dict[str, str] = {}
    for names, values in re.findall(r"^\| (`[a-z_`, ]+`) \| ([a-z0-9, ]+) \|", readme, re.MULTILINE):
        found, defaults = re.findall(r"`([a-z_]+)`", names), values.split(", ")
        told.update(zip(found, defaults * (len(found) // len(defaults)), strict=True))
    assert told == {name: str(value).lower() for name, value in vars(Quirks()).items()}
