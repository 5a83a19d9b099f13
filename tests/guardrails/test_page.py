"""docs/guardrails.md says what the code does."""

from __future__ import annotations

import importlib
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.guardrails.templates import SPEC, event, snippet, task
from tests.support.cloudformation import load

from ecs_exec_role.cli.app import cli
from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import DESK_PREFLIGHT, PARAMETERS, PREFIX, from_environment

GUIDE = (Path(__file__).parents[2] / "docs" / "guardrails.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n(?:```yaml\n(.*?)```\n\n)?```text\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("variables, resources, told", EXAMPLES, ids=[example[0].split("=")[0] for example in EXAMPLES])
def test_what_the_documentation_shows_is_the_message(variables: str, resources: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "Resources:\n" + textwrap.indent(resources or "Web: {Type: AWS::SNS::Topic}", "  "), encoding="utf-8"
    )
    request = event(load(path)["Resources"])
    request["fragment"] = {**request["fragment"], "Parameters": {"Account": {"Type": "String", "NoEcho": True}}}
    [first, *_] = request["fragment"]["Resources"].values()
    if "Fn::Transform" in (inner := first.get("Properties", {})):
        request = snippet(inner["Fn::Transform"]["Parameters"])
    environment = dict(line.split("=", 1) for line in variables.splitlines())
    with pytest.raises(TemplateError) as caught:
        expand(request, from_environment(environment, DESK_PREFLIGHT))
    assert str(caught.value) == told.rstrip("\n")


def test_every_parameter_has_its_row_its_variable_and_its_section() -> None:
    template = load(Path(__file__).parents[2] / "template.yaml")
    variables = template["Resources"]["MacroFunction"]["Properties"]["Environment"]["Variables"]
    for name, parameter in PARAMETERS.items():
        assert f"| `{parameter}` | `{PREFIX}{name}` |" in GUIDE
        assert variables[PREFIX + name] == {"Ref": parameter}
        assert template["Parameters"][parameter]["Default"] == ""
        assert any(PREFIX + name in example[0] for example in EXAMPLES)
    assert sum(name.startswith(PREFIX) for name in variables) == len(PARAMETERS)


def test_the_command_line_holds_templates_to_them_too(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps({"Transform": "EcsExecRole", "Resources": {"Web": task("Starter")}}), encoding="utf-8")
    runner = CliRunner()
    assert runner.invoke(cli, ["expand", str(path)], env={}).exit_code == 0
    breach = runner.invoke(cli, ["expand", str(path)], env={"ECS_EXEC_ROLE_ACCOUNTS": "self"})
    assert breach.exit_code == 1
    assert (
        f"{SPEC}: attaches AmazonECSTaskExecutionRolePolicy, which is not an allowed managed policy; write Auto"
        in breach.stderr
    )
    slip = runner.invoke(cli, ["expand", str(path)], env={"ECS_EXEC_ROLE_ACCOUNTS": "me"})
    assert slip.exit_code == 2
    assert "`me` is not an account" in slip.stderr


# -- each sentence is a test ------------------------------------------------------------------------------------------

AWS = "AWS's own behaviour, or what a word means"

# For the beginning of each sentence of the page: the tests that check it.
SAID = {
    "The owner of the macro": "page.test_every_parameter_has_its_row_its_variable_and_its_section",
    "Each rule, a guardrail": "page.test_every_parameter_has_its_row_its_variable_and_its_section",
    "A template cannot switch a guardrail off": "role_properties.test_another_boundary_is_a_violation",
    "What a guardrail requires and a template lacks": "role_properties.test_boundary_is_set_on_every_role",
    "A violation of a guardrail": "page.test_what_the_documentation_shows_is_the_message",
    "An item of a list is separated": "settings.test_items_are_separated_by_commas",
    "An empty value switches": "settings.test_nothing_is_forced_where_nothing_is_set",
    "A value with a mistake in it": "settings.test_a_mistake_in_a_setting_fails_every_template_and_is_never_skipped",
    "So is every template while": "settings.test_an_unknown_setting_is_a_mistake_too",
    "They apply to every role": "role_properties.test_every_kind_of_role_is_held",
    "Every value that a property can have": "role_properties.test_a_path_elsewhere_is_a_violation",
    "A value that is only known when": "role_properties.test_another_boundary_is_a_violation",
    "Such values are": "role_properties.test_another_boundary_is_a_violation",
    "The boundary, the path": "role_properties.test_a_path_below_is_written_as_it_was_checked",
    "`Fn::ForEach` and": "role_properties.test_what_sets_a_property_after_the_macro_is_a_violation",
    "Where statements, managed policies": "role_properties.test_what_makes_policies_after_the_macro_is_a_violation",
    "List `AWS::LanguageExtensions`": "role_properties.test_a_loop_that_was_expanded_before_is_read",
    "The boundary is set on every role": "role_properties.test_boundary_is_set_on_every_role",
    "The value is an ARN": "role_properties.test_boundary_is_set_on_every_role",
    "A template may write the same": "role_properties.test_the_same_boundary_is_written_as_it_was_set",
    "Another one is refused": "role_properties.test_another_boundary_is_a_violation",
    "So is a managed policy of the template": "attacks.test_a_template_cannot_make_its_own_boundary",
    "As long as it is on the role, the boundary": AWS,
    "Its policy must allow": AWS,
    "A role without `Path`": "role_properties.test_path_is_set_on_every_role",
    "A template may write one below": "role_properties.test_a_path_below_is_written_as_it_was_checked",
    "CloudFormation replaces a role whose path": AWS,
    "A role with a `RoleName` cannot": AWS,
    "A role without `RoleName`": "role_properties.test_a_name_is_generated_that_no_other_stack_has",
    "It stays the same": "role_properties.test_a_name_is_generated_that_no_other_stack_has",
    "The template must write `RoleName`": "role_properties.test_a_name_that_would_be_too_long_is_the_authors_to_find",
    "The prefix has 48 characters": "settings.test_a_mistake_in_a_setting_fails_every_template_and_is_never_skipped",
    "Roles with a name need": AWS,
    "The stack's own account": "placement.test_the_stacks_own_things_are_always_allowed",
    "The list has the others": "placement.test_another_accounts_things_are_a_violation",
    "An item with a service": "placement.test_an_account_may_be_allowed_for_one_service_alone",
    "The services are": "settings.test_the_services_are_those_of_the_page",
    "The ARN of everything that is granted": "placement.test_another_accounts_things_are_a_violation",
    "The image of the GuardDuty agent": "placement.test_the_stacks_own_things_are_always_allowed",
    "`Ref` and `Fn::GetAtt` of a resource of the template": "placement.test_the_stacks_own_things_are_always_allowed",
    "An output of a nested stack": "attacks.test_only_what_is_certainly_the_stacks_own_is",
    "A secret that a `ResourcePolicy`": "attacks.test_only_what_is_certainly_the_stacks_own_is",
    "(`Account` is a parameter": "page.test_what_the_documentation_shows_is_the_message",
    "The ARN of an object has": AWS,
    "With `AllowedAccounts`, the statements": "placement.test_an_object_is_read_in_allowed_accounts_only",
    "`AllowedRegions` does not restrict": "placement.test_regions_do_not_restrict_objects",
    "**Statements** of a template": "statements.test_statements_are_held_to_accounts_and_regions",
    "Each `Resource` must be": "statements.test_a_statement_that_may_reach_elsewhere_is_a_violation",
    "A `Resource` without account": "attacks.test_a_statement_about_s3_passes_with_a_condition_alone",
    "The ARNs of CloudFront": "statements.test_regions_hold_statements_but_for_what_has_no_region",
    "The ARN of an S3 access point": "attacks.test_an_access_point_can_belong_to_a_bucket_of_any_account",
    "The lists do not restrict a statement": "statements.test_the_lists_do_not_restrict_what_is_denied",
    "`NotResource` is refused": "statements.test_a_statement_that_may_reach_elsewhere_is_a_violation",
    "**Managed policies** grant": AWS,
    "So with either": "managed_policies.test_accounts_forbid_managed_policies_unless_their_owner_says_otherwise",
    "`false` allows only the macro": "statements.test_statements_may_be_forbidden",
    "A list allows those actions": "statements.test_actions_may_be_listed",
    "With a list, statements with": "statements.test_actions_may_be_listed",
    "This applies to:": "statements.test_statements_may_be_forbidden",
    "`Statements` of a spec": "statements.test_statements_may_be_forbidden",
    "`Policies` that an author": "statements.test_statements_may_be_forbidden",
    "an `AWS::IAM::Policy`": "statements.test_statements_may_be_forbidden",
    "an `AWS::Serverless::Connector`": "attacks.test_a_connector_between_what_uses_the_role_is_a_policy_on_it",
    "A policy counts as this role's": "attacks.test_a_name_that_is_not_known_to_be_anothers_is_this_roles",
    "`!Ref` of another role": "attacks.test_a_name_that_is_known_to_be_anothers_is_ignored",
    "A name that is only known": "attacks.test_a_name_that_is_not_known_to_be_anothers_is_this_roles",
    "An `AWS::IAM::InstanceProfile`": "attacks.test_the_role_itself_is_named",
    "So is an `AssumeRolePolicyDocument`": "attacks.test_only_ecs_may_use_the_role",
    "With restricted statements": "attacks.test_restricted_statements_restrict_managed_policies",
    "Managed policies: none": "attacks.test_restricted_statements_restrict_managed_policies",
    "What a definition reads": "attacks.test_what_is_known_at_deployment_can_be_a_wildcard",
    "Such a value is refused": "attacks.test_what_an_author_may_grant_anyway_may_be_known_later",
    "`Ref` and `Fn::GetAtt` of a resource that has one": "attacks.test_what_names_one_thing_for_certain_is_allowed",
    "`false` allows none": "managed_policies.test_managed_policies_may_be_forbidden_or_listed",
    "A list allows ARNs": "managed_policies.test_managed_policies_may_be_forbidden_or_listed",
    "Held to this are `ManagedPolicyArns`": "attacks.test_a_budgets_action_may_attach_what_is_allowed",
    "A policy that the template itself": "attacks.test_a_template_cannot_make_the_policy_that_is_allowed",
    "The managed policies that the macro": "managed_policies.test_the_macros_own_managed_policies_are_not_meant",
    "`true` checks every role": "preflight.test_every_role_is_checked_at_deployment",
    "The stricter of this": "preflight.test_every_role_is_checked_at_deployment",
    "The check asks": "preflight.test_no_spec_makes_the_check_empty",
    "A definition that gets the role's ARN": "preflight.test_an_arn_that_is_handed_on_is_not_found",
    "`Unresolved: Ignore`": "preflight.test_what_cannot_be_asked_is_a_violation",
    "`Fn::Transform` cannot add": "preflight.test_a_snippet_can_add_no_check_so_it_is_a_violation",
    "`Key=Value` is added": "role_properties.test_a_tag_with_its_value_is_added",
    "`Key` alone": "role_properties.test_a_tag_without_a_value_is_the_authors_to_write",
    "Tags on the role": "role_properties.test_a_tag_with_its_value_is_added",
    "The command line reads": "page.test_the_command_line_holds_templates_to_them_too",
    "A macro sees one template": AWS,
    "It cannot enforce anything on these:": "limits.test_what_is_written_beside_a_role_is_not_held",
    "A template without the macro": "limits.test_what_is_written_beside_a_role_is_not_held",
    "A macro that is listed after": AWS,
    "A nested stack, another stack": "limits.test_what_is_written_beside_a_role_is_not_held",
    "`Fn::Transform` sees nothing": "limits.test_a_snippet_sees_nothing_of_its_template",
    "**Code that calls IAM itself**": "limits.test_what_is_written_beside_a_role_is_not_held",
    "A bucket, a key": "limits.test_what_is_written_beside_a_role_is_not_held",
    "**An access point of S3**": "limits.test_an_access_point_behind_every_resource_is_not_seen",
    "A person who can change it": "service_control_policies.test_nobody_but_the_installer_changes_the_functions",
    "Only IAM can limit these": AWS,
    "[In an organization]": "service_control_policies.test_roles_exist_only_with_the_boundary_and_ecs_gets_no_others",
    "The guardrails for boundary": "service_control_policies.test_what_the_macro_writes_fits_into_them",
    "As long as it is on the role, the permissions boundary": AWS,
}


def sentences() -> Iterator[str]:
    """The sentences of the page, without its headings, tables and examples."""
    text = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL)
    for block in re.split(r"\n\s*\n", text):
        if block.strip().startswith(("#", "|")) or not block.strip():
            continue
        for item in re.split(r"\n(?=- )", block.strip()):
            line = " ".join(item.removeprefix("- ").split())
            line = re.sub(r"^\*\*[^*]*\.\*\* ", "", line)
            yield from re.split(r"(?<=[.]) (?=[A-Z`\[(*])", line)


def test_each_sentence_of_the_page_is_a_test() -> None:
    written = list(sentences())
    for sentence in written:
        assert sum(sentence.startswith(beginning) for beginning in SAID) == 1, sentence
    for beginning, test in SAID.items():
        assert any(sentence.startswith(beginning) for sentence in written), beginning
        if test != AWS:
            module, _, name = test.partition(".")
            assert callable(getattr(importlib.import_module(f"tests.guardrails.test_{module}"), name)), test
