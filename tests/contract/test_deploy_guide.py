"""What docs/deploy.md says is what the code needs: scopes, modules, parameters, versions, commands that exist."""

import re
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from cli.main import app
from tds_core.zoho import scopes
from tds_core.zoho.routes import ROUTES
from tests import deploy_guide
from tests.contract.test_readme import commands


def template_parameters() -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse((deploy_guide.ROOT / "template.yaml").read_text("utf-8"))["Parameters"]
    return found


def test_the_scopes_are_exactly_those_that_the_code_needs() -> None:
    listed = re.findall(r"^\| `(Zoho\w+\.\w+\.READ)` \|", deploy_guide.TEXT, re.MULTILINE)
    assert sorted(listed) == sorted(scopes.needed())


def test_every_module_with_a_webhook_is_named() -> None:
    section = deploy_guide.TEXT.split("\n## 6. Webhooks\n", 1)[1].split("\n## ", 1)[0]
    text = " ".join(section.split())
    assert "The modules: " + ", ".join(route.title for route in ROUTES.values() if route.title) + "." in text


def test_every_block_is_run_filled_in_or_left_out_for_a_reason() -> None:
    marks = [block.mark for block in deploy_guide.blocks()]
    assert deploy_guide.TEXT.count("```bash") == len(marks) and marks.count("choices") == 1
    assert all(mark in ("run", "choices") or re.fullmatch(r"not-run: .{10,}", mark) for mark in marks), marks


def test_a_deploy_states_parameters_that_exist_and_all_that_have_no_default() -> None:
    (deploy,) = (block for block in deploy_guide.runnable() if "sam deploy" in block)
    stated = set(re.findall(r'"(\w+)=', deploy))
    parameters = template_parameters()
    assert stated <= set(parameters)
    assert {name for name, parameter in parameters.items() if "Default" not in parameter} <= stated


def test_parameters_to_tune_have_the_templates_defaults() -> None:
    section = deploy_guide.TEXT.split("\n## Parameters to tune\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", section, re.MULTILINE)
    assert len(rows) >= 5
    parameters = template_parameters()
    assert dict(rows) == {name: str(parameters[name]["Default"]) for name, _ in rows}


def test_commands_are_those_of_tds() -> None:
    known = {name.strip("`") for name in commands(app, "tds")}
    used = set(re.findall(r"(?:^|`)(tds (?:webhook |deletions )?[a-z]+)", deploy_guide.TEXT, re.MULTILINE))
    assert len(used) > 6
    assert used <= known
