"""What a release checks, and what it publishes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cfnlint.api import lint_file
from cfnlint.decode import cfn_yaml
from scripts import release
from scripts.release import Fault, changelog_section, faults_of_version, install_template, load_template, widened
from tests.support.cloudformation import Stack

from ecs_exec_role import __version__

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
TEMPLATE = load_template()
INSTALL = install_template(TEMPLATE, __version__)
SECTION = """\
# Changelog

## [Unreleased]

## [1.2.3] - 2026-01-02

### Fixed

- That.

## [1.2.2] - 2026-01-01

- This.
"""


def template_of(version: str) -> dict[str, Any]:
    return {"Outputs": {"Version": {"Value": version}}}


# -- one version ------------------------------------------------------------------------------------------------------


def test_what_is_here_can_be_released() -> None:
    assert faults_of_version(f"v{__version__}", __version__, TEMPLATE, _released(CHANGELOG)) == []


def _released(changelog: str) -> str:
    """Between releases there may be entries for the next one."""
    return re.sub(r"(^## \[Unreleased\]\n).*?(?=^## \[)", r"\1\n", changelog, flags=re.MULTILINE | re.DOTALL)


def test_the_same_version_everywhere_is_not_a_fault() -> None:
    assert faults_of_version("v1.2.3", "1.2.3", template_of("1.2.3"), SECTION) == []


@pytest.mark.parametrize(
    "tag, version, installed, changelog, said",
    [
        ("v1.2.4", "1.2.3", "1.2.3", SECTION, "the tag is `v1.2.4`, and src/ecs_exec_role/__init__.py says 1.2.3"),
        ("1.2.3", "1.2.3", "1.2.3", SECTION, "the tag `1.2.3` is not of the form v1.2.3"),
        ("v1.2.3", "1.2.3", "1.2.2", SECTION, "template.yaml has the output Version 1.2.2"),
        ("v1.2.4", "1.2.4", "1.2.4", SECTION, "CHANGELOG.md has no heading `## [1.2.4] - YYYY-MM-DD`"),
        (
            "v1.2.3",
            "1.2.3",
            "1.2.3",
            SECTION.replace("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n"),
            "CHANGELOG.md still has entries below `## [Unreleased]`",
        ),
        (
            "v1.2.3",
            "1.2.3",
            "1.2.3",
            SECTION.replace("### Fixed\n\n- That.\n", ""),
            "CHANGELOG.md has no text below `## [1.2.3]`",
        ),
    ],
)
def test_a_version_that_differs_anywhere_is_a_fault(
    tag: str, version: str, installed: str, changelog: str, said: str
) -> None:
    [fault] = faults_of_version(tag, version, template_of(installed), changelog)
    assert fault.startswith(said)


def test_all_faults_are_reported_at_once() -> None:
    assert len(faults_of_version("v2.0.0", "1.2.4", template_of("1.2.3"), SECTION)) == 3


def test_notes_are_the_versions_own() -> None:
    assert changelog_section(SECTION, "1.2.3") == "### Fixed\n\n- That."
    assert changelog_section(SECTION, "1.2.2") == "- This."


def test_heading_without_a_date_is_none() -> None:
    with pytest.raises(Fault):
        changelog_section("## [1.0.0]\n\n- This.\n", "1.0.0")


# -- no wider role without an entry in the changelog
# -------------------------------------------------------------------------


def answer(*statements: dict[str, Any], managed: list[str] | None = None) -> dict[str, Any]:
    properties: dict[str, Any] = {"Policies": [{"PolicyDocument": {"Statement": list(statements)}}]}
    if managed is not None:
        properties["ManagedPolicyArns"] = managed
    return {"fragment": {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}}}


def allow(action: Any, resource: Any, condition: Any = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement if condition is None else {**statement, "Condition": condition}


BEFORE = answer(allow(["a:Get", "a:Put"], {"Ref": "Thing"}), allow("b:Get", "*", {"Bool": {"x": "true"}}))


@pytest.mark.parametrize(
    "after, more",
    [
        (BEFORE, 0),
        (answer(allow("a:Get", {"Ref": "Thing"})), 0),
        (answer(allow("a:Get", {"Ref": "Thing"}), allow("a:Put", [{"Ref": "Thing"}])), 0),
        (answer(allow("a:Get", {"Ref": "Thing"}, {"Bool": {"x": "true"}})), 0),
        (answer(allow("a:Delete", {"Ref": "Thing"})), 1),
        (answer(allow("a:Get", "*")), 1),
        (answer(allow("a:Get", [{"Ref": "Thing"}, {"Ref": "Other"}])), 1),
        (answer(allow("b:Get", "*")), 1),
        (answer(allow("b:Get", "*", {"Bool": {"y": "true"}})), 1),
        (answer(managed=["arn:aws:iam::aws:policy/AdministratorAccess"]), 1),
        (answer({"Effect": "Deny", "Action": "c:Get", "Resource": "*"}), 0),
    ],
)
def test_what_a_role_does_more_is_seen(after: dict[str, Any], more: int) -> None:
    assert len(widened(BEFORE, after)) == more


def test_trust_that_opens_is_seen() -> None:
    def trusting(principal: str) -> dict[str, Any]:
        return answer({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": principal}})

    assert widened(trusting("ecs-tasks.amazonaws.com"), trusting("ec2.amazonaws.com"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release v1.0.0 with one golden role, and a changelog that has 1.0.1."""
    (tmp_path / "events").mkdir()
    (tmp_path / "tests" / "golden" / "events").mkdir(parents=True)
    (tmp_path / "events" / "macro-role.json").write_text("{}", encoding="utf-8")
    _golden(tmp_path).write_text(json.dumps(BEFORE), encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("## [1.0.1] - 2026-01-02\n\n- That.\n", encoding="utf-8")
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "release"],
        ["tag", "v1.0.0"],
    ):
        # Without the settings for commits and tags in this machine's git configuration.
        subprocess.run(["git", *command], cwd=tmp_path, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "__version__", "1.0.1")
    return tmp_path


def _golden(repository: Path) -> Path:
    return repository / "tests" / "golden" / "events" / "role.json"


def test_release_with_the_same_roles_passes(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release.check_widened("v1.0.0")
    assert capsys.readouterr().out == "1 golden roles compared with v1.0.0: 0 grants are new\n"


def test_release_that_widens_a_role_must_say_so(repository: Path) -> None:
    _golden(repository).write_text(json.dumps(answer(allow("a:Delete", "*"))), encoding="utf-8")
    with pytest.raises(Fault, match=r'(?s)no `### Widened` for 1\.0\.1:\nrole: "a:Delete" on "\*"'):
        release.check_widened("v1.0.0")
    changelog = "## [1.0.1] - 2026-01-02\n\n### Widened\n\n- That.\n"
    (repository / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    release.check_widened("v1.0.0")


def test_another_template_may_get_another_role(repository: Path) -> None:
    _golden(repository).write_text(json.dumps(answer(allow("a:Delete", "*"))), encoding="utf-8")
    (repository / "events" / "macro-role.json").write_text('{"more": true}', encoding="utf-8")
    release.check_widened("v1.0.0")


# -- the install template ---------------------------------------------------------------------------------------------


def test_install_template_is_plain_and_small_enough_to_be_passed_along() -> None:
    text = release.install_text(__version__)
    assert "Transform" not in INSTALL
    assert "AWS::Serverless" not in text
    assert len(text.encode()) <= 51_200
    assert json.loads(json.dumps(cfn_yaml.loads(text))) == INSTALL


@pytest.mark.usefixtures("quick_cfn_lint")
def test_install_template_is_clean(tmp_path: Path) -> None:
    path = tmp_path / "install.yaml"
    path.write_text(release.install_text(__version__), encoding="utf-8")
    assert lint_file(path) == []


def test_install_template_makes_what_template_yaml_makes() -> None:
    # SAM makes a separate resource of this property.
    invocation = INSTALL["Resources"]["PreflightFunctionEventInvokeConfig"]
    assert invocation["Condition"] == "WithPreflight"
    source = TEMPLATE["Resources"]["PreflightFunction"]["Properties"]["EventInvokeConfig"]
    assert source.items() <= invocation["Properties"].items()
    assert set(INSTALL["Resources"]) == {*TEMPLATE["Resources"], "PreflightFunctionEventInvokeConfig"}
    assert INSTALL["Outputs"] == TEMPLATE["Outputs"]
    assert INSTALL["Rules"] == TEMPLATE["Rules"]
    for name, resource in TEMPLATE["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            assert INSTALL["Resources"][name] == resource
    for name in release.FUNCTIONS:
        function, source = INSTALL["Resources"][name], TEMPLATE["Resources"][name]
        assert function["Type"] == "AWS::Lambda::Function"
        for key in ("Handler", "Timeout", "MemorySize", "Role", "FunctionName"):
            assert function["Properties"][key] == source["Properties"][key]


@pytest.mark.parametrize("regional, bucket", [("false", "packages"), ("true", "packages-us-east-1")])
def test_packages_come_from_the_users_bucket(regional: str, bucket: str) -> None:
    stack = Stack(INSTALL, {"CodeBucket": "packages", "CodePrefix": "roles/", "CodeBucketPerRegion": regional})
    for name, part in release.FUNCTIONS.items():
        assert stack.properties(name)["Code"] == {
            "S3Bucket": bucket,
            "S3Key": f"roles/ecs-exec-role-{part}-{__version__}.zip",
        }


def test_code_signing_holds_for_both_functions() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"
    for name in release.FUNCTIONS:
        signed = Stack(INSTALL, {"CodeBucket": "packages", "CodeSigningConfigArn": arn}).properties(name)
        assert signed["CodeSigningConfigArn"] == arn
        assert "CodeSigningConfigArn" not in Stack(INSTALL, {"CodeBucket": "packages"}).properties(name)


def test_every_parameter_of_the_install_template_has_its_place_in_the_console() -> None:
    groups = INSTALL["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == list(INSTALL["Parameters"])


def test_stack_sets_parameters_are_the_install_templates() -> None:
    organization = cfn_yaml.load(str(ROOT / "install" / "organization.yaml"))
    parameters = organization["Resources"]["Installation"]["Properties"]["Parameters"]
    # The organization's management account is not an account of the stack set.
    assert {one["ParameterKey"] for one in parameters} == set(INSTALL["Parameters"]) - {"OrganizationId"}
    for name in {one["ParameterKey"] for one in parameters} & set(organization["Parameters"]) - {"FunctionPrefix"}:
        ours, theirs = organization["Parameters"][name], INSTALL["Parameters"][name]
        for key in ("Default", "AllowedValues"):
            assert ours.get(key, theirs.get(key)) == theirs.get(key), name
    for name in ("CodeSigningConfigArn", "LogKmsKeyArn", "AlarmTopicArn"):
        assert organization["Parameters"][name]["AllowedPattern"] == INSTALL["Parameters"][name]["AllowedPattern"]


# -- the packages -----------------------------------------------------------------------------------------------------


def test_same_files_make_the_same_package(tmp_path: Path) -> None:
    for name, order in (("first", ("a.py", "b.py")), ("second", ("b.py", "a.py"))):
        folder = tmp_path / name
        (folder / "package").mkdir(parents=True)
        for file in order:
            (folder / "package" / file).write_text(file, encoding="utf-8")
        (folder / "package" / "a.py").chmod(0o600 if name == "first" else 0o755)
        release.zip_folder(folder, tmp_path / f"{name}.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        assert archive.namelist() == ["package/a.py", "package/b.py"]
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_sums_are_those_that_sha256sum_reads(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "SHA256SUMS").write_text("of before", encoding="utf-8")
    assert list(release.sums(tmp_path)) == ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"]


# -- the workflow -----------------------------------------------------------------------------------------------------

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_actions_are_pinned_by_their_whole_commit(path: Path) -> None:
    used = [one for one in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8")) if not one.startswith("./ ")]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_one_action_has_one_version_everywhere() -> None:
    used = {one for path in WORKFLOWS for one in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))}
    assert len(used) == len({one.partition("@")[0] for one in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_nothing_is_allowed_to_a_workflow_as_a_whole(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "\npermissions: {}\n" in text
    assert "secrets." not in text


def test_link_of_the_docs_opens_the_install_template_with_its_parameters() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [link] = re.findall(r"^https://console\.aws\.amazon\.com/cloudformation/\S+$", guide, re.MULTILINE)
    place, _, query = link.partition("#/stacks/create/review?")
    assert place == "https://console.aws.amazon.com/cloudformation/home?region=REGION"
    values = dict(parse_qsl(query))
    assert values.pop("templateURL") == f"https://BUCKET.s3.REGION.amazonaws.com/{__version__}.yaml"
    assert values.pop("stackName") == "ecs-exec-role"
    required = {name for name, parameter in INSTALL["Parameters"].items() if "Default" not in parameter}
    assert {f"param_{name}" for name in required} == set(values)


def test_the_package_has_links_that_hold_away_from_the_repository(tmp_path: Path) -> None:
    source = release.package_source(tmp_path / "source", "https://example.com/someone/ecs-exec-role")
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    at = f"https://example.com/someone/ecs-exec-role/blob/v{__version__}"
    assert project["urls"]["Repository"] == "https://example.com/someone/ecs-exec-role"
    assert project["urls"]["Changelog"] == f"{at}/CHANGELOG.md"
    readme = (source / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", readme)
    assert len(links) > 20
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert f"{at}/docs/cli.md" in links
    assert f"{at}/docs/operations.md#install" in links
    tree = f"https://example.com/someone/ecs-exec-role/tree/v{__version__}"
    assert f"{tree}/examples" in [link.rstrip("/") for link in links]
    assert re.search(rf"!\[[^\]]+\]\(https://example.com/someone/ecs-exec-role/raw/v{__version__}/docs/", readme)


def test_a_package_that_is_only_tried_has_no_invented_links(tmp_path: Path) -> None:
    source = release.package_source(tmp_path / "source", "")
    assert "urls" not in tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert not any("OWNER" in (source / name).read_text(encoding="utf-8") for name in ("README.md", "pyproject.toml"))
