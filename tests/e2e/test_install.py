"""The macro itself: built, installed, installed again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.e2e.cloud import Cloud
from tests.e2e.conftest import ROOT, Installed, Note, deploy_macro

STACK = "AWS::CloudFormation::Stack"


def test_both_functions_exist(cloud: Cloud, macro: Installed) -> None:
    functions = cloud.client("lambda")
    for arn in (macro.macro_function, macro.preflight_function):
        configuration = functions.get_function_configuration(FunctionName=arn)
        assert configuration["Runtime"] == "python3.13"
        assert configuration["State"] == "Active"


def test_package_of_each_function_is_small(cloud: Cloud, macro: Installed, note: Note) -> None:
    functions = cloud.client("lambda")
    for arn in (macro.macro_function, macro.preflight_function):
        size = functions.get_function_configuration(FunctionName=arn)["CodeSize"]
        note(f"package of {arn.rpartition('-')[2]}: {size / 2**20:.2f} MB")
        assert size <= 2 * 2**20


def test_functions_log_where_the_template_says(cloud: Cloud, macro: Installed) -> None:
    functions = cloud.client("lambda")
    groups = {each.physical_id for each in cloud.resources(macro.stack).values() if each.type == "AWS::Logs::LogGroup"}
    for arn in (macro.macro_function, macro.preflight_function):
        assert f"/aws/lambda/{arn.rpartition(':')[2]}" in groups
        configured = functions.get_function_configuration(FunctionName=arn).get("LoggingConfig", {})
        assert configured.get("LogGroup") in groups


def test_macro_knows_the_preflight_function(cloud: Cloud, macro: Installed) -> None:
    configuration = cloud.client("lambda").get_function_configuration(FunctionName=macro.macro_function)
    assert configuration["Environment"]["Variables"]["PREFLIGHT_FUNCTION_ARN"] == macro.preflight_function


def test_installing_again_changes_nothing(cloud: Cloud, macro: Installed, install: Callable[[], str]) -> None:
    before = [event for event in cloud.events(macro.stack) if event.logical_id != macro.stack]
    install()
    after = [event for event in cloud.events(macro.stack) if event.logical_id != macro.stack]
    assert after == before


def test_a_guided_deployment_succeeds_with_enter_alone(own: Cloud, built: Path, tmp_path: Path) -> None:
    """`sam build` proposes this command. The next deployment reads what it saves, and asks nothing."""
    configuration = tmp_path / "samconfig.toml"
    shutil.copy(ROOT / "samconfig.toml", configuration)

    said = deploy_macro(own, built, "--guided", configuration=configuration, given="\n" * 100)

    assert own.status(own.stack_name("macro")) == "CREATE_COMPLETE"
    assert "signing profile name" not in said.lower()
    assert "sign your code" not in said.lower()
    assert 'Preflight=\\"true\\"' in configuration.read_text(encoding="utf-8")
    before = own.events(own.stack_name("macro"))
    deploy_macro(own, built, configuration=configuration)
    assert [event for event in own.events(own.stack_name("macro"))[len(before) :] if event.type != STACK] == []
