"""The reference leaves nothing out: settings, findings, exit codes, JSON fields, variables."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from provision import errors
from provision.environment.spec import EnvironmentFile
from provision.inventory.mirrors import HELP, SHIPPED
from provision.inventory.schema import InventoryFile
from provision.model.plan import Outcome
from provision.playbook.options import TASKS, FileOptions
from provision.playbook.tasks.miniconda import NEEDED
from provision.project import ProjectFile
from provision.report.exit_code import CODES
from provision.schemas import schema_path
from tests.unit.docs.pages import REFERENCE, REPOSITORY, first_cells, headings, prose
from tests.unit.docs.source import finding_codes, keys, variables


def _titles(page: str) -> set[str]:
    return {text.strip("`") for _, text in headings(REFERENCE / page)}


def _inventory_keys() -> set[str]:
    """Host settings have one heading each, wherever they may be written."""
    paths = set(keys(InventoryFile))
    return {re.sub(r"^(defaults|hosts\.NAME|groups\.NAME)\.(?!hosts$)", "", one) for one in paths}


def test_every_setting_of_hosts_yaml_has_a_heading() -> None:
    assert _inventory_keys() <= _titles("hosts-yaml.md")


def test_every_setting_of_provision_yaml_has_a_heading() -> None:
    assert set(keys(ProjectFile)) <= _titles("provision-yaml.md")


def test_every_setting_of_a_playbook_has_a_heading() -> None:
    wanted = {f"{task}.{key}" for task, options in TASKS.items() if task != "files" for key in keys(options)}
    wanted |= {f"files.{key}" for key in keys(FileOptions)} | set(TASKS) | {"name", "tasks"}
    assert wanted <= _titles("playbook.md")


def test_every_setting_of_environment_yml_has_a_heading() -> None:
    assert set(keys(EnvironmentFile)) <= _titles("environment-yml.md")


@pytest.mark.parametrize("page", ["hosts-yaml.md", "provision-yaml.md", "playbook.md", "environment-yml.md"])
def test_no_heading_speaks_of_a_setting_that_is_gone(page: str) -> None:
    tasks = {f"{task}.{key}" for task, options in TASKS.items() if task != "files" for key in keys(options)}
    known = {
        "hosts-yaml.md": _inventory_keys(),
        "provision-yaml.md": set(keys(ProjectFile)),
        "playbook.md": tasks | {f"files.{key}" for key in keys(FileOptions)} | set(TASKS) | {"name", "tasks"},
        "environment-yml.md": set(keys(EnvironmentFile)),
    }[page]
    shown = {text.strip("`") for _, text in headings(REFERENCE / page) if text.startswith("`")}
    assert shown <= known


def test_every_finding_has_a_row_and_every_row_a_finding() -> None:
    rows = {one for one in first_cells(REFERENCE / "findings.md") if re.fullmatch(r"[A-Z][A-Z0-9-]+", one)}
    assert rows == finding_codes()


def test_every_exit_code_and_kind_of_error_has_a_row() -> None:
    def tree(kind: type[errors.ProvisionError]) -> set[type[errors.ProvisionError]]:
        return {kind, *(one for below in kind.__subclasses__() for one in tree(below))}

    page = REFERENCE / "exit-codes.md"
    every = {one for one in tree(errors.ProvisionError) if one.__module__ == "provision.errors"}
    codes = {one.exit_code for one in every} | set(CODES.values()) | {7}
    assert {str(one) for one in codes} <= first_cells(page, "The process")
    assert {one.kind for one in every} <= first_cells(page, "Kinds of error")
    assert {one.value for one in Outcome} <= first_cells(page, "Outcomes of a host")


def test_every_field_of_the_json_document_is_explained() -> None:
    schema = json.loads((schema_path("hosts").parent / "output.json").read_text("utf-8"))
    text = prose(REFERENCE / "json-output.md")
    for field in _fields(schema):
        assert f"`{field}`" in text, field


def _fields(schema: dict[str, Any]) -> set[str]:
    own = set(schema.get("properties", {}))
    return own.union(*(_fields(one) for one in schema.get("definitions", {}).values()))


def test_every_environment_variable_that_is_read_has_a_row() -> None:
    assert variables() <= first_cells(REFERENCE / "environment-variables.md")


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_both_readmes_name_every_program_that_a_host_must_have(readme: str) -> None:
    text = (REPOSITORY / readme).read_text("utf-8")
    for tool in NEEDED:
        assert f"`{tool}`" in text, tool


def test_every_shipped_mirror_has_a_row_and_its_operators_page() -> None:
    page = REFERENCE / "mirrors.md"
    assert set(SHIPPED) <= first_cells(page)
    text = prose(page)
    for one in SHIPPED.values():
        assert f"`{one.installer}`" in text
        assert f"`{one.pip}`" in text
    assert all(address in text for address in HELP.values())
