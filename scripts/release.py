"""The files of a release: `make release` builds them into dist/, and the release workflow publishes them.

    python scripts/release.py check v1.2.3    the tag, the package, template.yaml and CHANGELOG.md name one version
    python scripts/release.py widened v1.1.0  no golden role does more than it did at that tag, or CHANGELOG.md says so
    python scripts/release.py build           the functions' packages, the install template, wheel, sdist, SBOMs, sums
    python scripts/release.py notes           this version's part of CHANGELOG.md

Run by the Python of .venv, which has what it imports; .venv-release has the tools that it starts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cfnlint.decode import cfn_yaml
from samtranslator.translator.transform import transform

from ecs_exec_role import __version__
from ecs_exec_role.offline.yaml_writer import write

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
TOOLS = ROOT / ".venv-release" / "bin"
FUNCTIONS = {"MacroFunction": "macro", "PreflightFunction": "preflight"}
WIDENED = "### Widened"
SIGNING = "CodeSigningConfigArn"
BEFORE_SIGNING = "PreflightReservedConcurrency"
# The earliest time that a zip file knows: so that a package's bytes depend on its content only.
EPOCH = (1980, 1, 1, 0, 0, 0)

Json = dict[str, Any]


class Fault(Exception):
    """The reason why this cannot be released; printed without a traceback."""


# -- one version ------------------------------------------------------------------------------------------------------


def changelog_section(text: str, version: str) -> str:
    """The section of CHANGELOG.md about a version, without its heading.

    Raises:
        Fault: there is no dated heading of that version, or it has no entries.
    """
    found = re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}\n(.*?)(?=^## \[|\Z)", text, re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise Fault(f"CHANGELOG.md has no heading `## [{version}] - YYYY-MM-DD`")
    section = found[1].strip()
    if not section:
        raise Fault(f"CHANGELOG.md has no text below `## [{version}]`")
    return section


def unreleased(text: str) -> str:
    """The text below the heading of the next version."""
    found = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def faults_of_version(tag: str, version: str, template: Json, changelog: str) -> list[str]:
    """Every reason why `tag` is not the release of `version`; an empty list where all four agree."""
    faults: list[str] = []
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        faults.append(f"the tag `{tag}` is not of the form v1.2.3")
    elif tag != f"v{version}":
        faults.append(f"the tag is `{tag}`, and src/ecs_exec_role/__init__.py says {version}")
    installed = template.get("Outputs", {}).get("Version", {}).get("Value")
    if installed != version:
        faults.append(
            f"template.yaml has the output Version {installed}, and src/ecs_exec_role/__init__.py says {version}"
        )
    try:
        changelog_section(changelog, version)
    except Fault as fault:
        faults.append(str(fault))
    if unreleased(changelog):
        faults.append("CHANGELOG.md still has entries below `## [Unreleased]`; move them below the version's heading")
    return faults


def check(tag: str) -> None:
    """Raises `Fault` unless `tag` is the release of what is here."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    faults = faults_of_version(tag, __version__, load_template(), changelog)
    if faults:
        raise Fault("\n".join(faults))
    print(f"{tag}: the package, template.yaml and CHANGELOG.md say the same")


# -- no wider role without an entry in the changelog
# -------------------------------------------------------------------------


class Grant(NamedTuple):
    """One thing that a role may do: an action on a resource under a condition, as text that can be compared."""

    action: str
    resource: str
    condition: str


def grants(answer: Json) -> frozenset[Grant]:
    """Everything that the roles of one answer of the macro allow, including who may assume them."""
    found: set[Grant] = set()

    def text(value: Any) -> str:
        return json.dumps(value, sort_keys=True)

    def collect(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                collect(item)
        if not isinstance(value, dict):
            return
        if value.get("Effect") == "Allow" and "Action" in value:
            actions, resources = value["Action"], value.get("Resource", value.get("Principal"))
            for action in actions if isinstance(actions, list) else [actions]:
                for resource in resources if isinstance(resources, list) else [resources]:
                    found.add(Grant(text(action), text(resource), text(value.get("Condition"))))
        for arn in value.get("ManagedPolicyArns", []) if isinstance(value.get("ManagedPolicyArns"), list) else []:
            found.add(Grant('"(managed policy)"', text(arn), "null"))
        for child in value.values():
            collect(child)

    collect(answer.get("fragment"))
    return frozenset(found)


def widened(before: Json, after: Json) -> list[Grant]:
    """What `after` allows and `before` does not. A new condition narrows a grant; a changed one counts as wider."""
    old = grants(before)
    free = {(grant.action, grant.resource) for grant in old if grant.condition == "null"}
    return sorted(grant for grant in grants(after) - old if grant[:2] not in free)


def check_widened(tag: str) -> None:
    """Raises `Fault` where a golden answer allows more than at `tag` and the changelog does not say so."""
    noted = WIDENED in changelog_section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)
    found: list[str] = []
    compared = 0
    for path in sorted((ROOT / "tests" / "golden" / "events").glob("*.json")):
        event = f"events/macro-{path.stem}.json"
        golden = path.relative_to(ROOT).as_posix()
        before = _at(tag, golden)
        # Only roles of the same template are compared: a changed template has other needs.
        if before is None or _at(tag, event) != (ROOT / event).read_text(encoding="utf-8"):
            continue
        compared += 1
        found.extend(
            f"{path.stem}: {grant.action} on {grant.resource}, condition {grant.condition}"
            for grant in widened(json.loads(before), json.loads(path.read_text(encoding="utf-8")))
        )
    if found and not noted:
        told = "\n".join(found)
        raise Fault(
            f"These roles do more than at {tag}, and CHANGELOG.md has no `{WIDENED}` for {__version__}:\n{told}"
        )
    print(f"{compared} golden roles compared with {tag}: {len(found)} grants are new{', and noted' if found else ''}")


def _at(tag: str, path: str) -> str | None:
    """A file as it was at a tag; None where it was not there."""
    command = ["git", "show", f"{tag}:{path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout


# -- the install template ---------------------------------------------------------------------------------------------


def load_template() -> Json:
    """template.yaml, with its short tags written out."""
    plain: Json = json.loads(json.dumps(cfn_yaml.load(str(ROOT / "template.yaml"))))
    return plain


class _NoManagedPolicies:
    """SAM asks for AWS's managed policies by name; template.yaml names none."""

    def load(self) -> dict[str, str]:
        return {}


def package_name(function: str, version: str) -> str:
    """The file name of a function's package. A new version has a new name, so CloudFormation sees the change."""
    return f"ecs-exec-role-{FUNCTIONS[function]}-{version}.zip"


def install_template(template: Json, version: str) -> Json:
    """`template.yaml` without SAM: plain CloudFormation that takes the packages from the user's bucket.

    It has no `Transform`, so that it needs neither SAM CLI nor CAPABILITY_AUTO_EXPAND.
    """
    source: Json = json.loads(json.dumps(template))
    for function in FUNCTIONS:
        resource = source["Resources"][function]
        del resource["Metadata"]["BuildMethod"]
        resource["Properties"]["CodeUri"] = "s3://bucket/key"
    del source["Globals"]["Function"]["CodeUri"]
    os.environ.setdefault(
        "AWS_DEFAULT_REGION", "us-east-1"
    )  # SAM's transform requires one; the result does not depend on it.
    plain: Json = json.loads(json.dumps(transform(source, {}, _NoManagedPolicies())))
    plain.pop("Transform", None)
    for function in FUNCTIONS:
        properties = plain["Resources"][function]["Properties"]
        properties["Code"] = {
            "S3Bucket": {
                "Fn::If": ["WithRegionalBucket", {"Fn::Sub": "${CodeBucket}-${AWS::Region}"}, {"Ref": "CodeBucket"}]
            },
            "S3Key": {"Fn::Sub": f"${{CodePrefix}}{package_name(function, version)}"},
        }
        properties["Tags"] = [tag for tag in properties["Tags"] if tag["Key"] != "lambda:createdBy"]
        if not properties["Tags"]:
            del properties["Tags"]
        properties[SIGNING] = {"Fn::If": ["WithCodeSigning", {"Ref": SIGNING}, {"Ref": "AWS::NoValue"}]}
    plain["Parameters"] = {
        "CodeBucket": {
            "Description": "S3 bucket of this region that holds the functions' packages, or the beginning of its name",
            "Type": "String",
            "AllowedPattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        },
        "CodeBucketPerRegion": {
            "Description": "Whether a hyphen and the region follow the bucket's name, as StackSets need it",
            "Type": "String",
            "AllowedValues": ["true", "false"],
            "Default": "false",
        },
        "CodePrefix": {
            "Description": "What comes before the packages' names in the bucket, as in ecs-exec-role/",
            "Type": "String",
            "Default": "",
        },
        **_with_signing(plain["Parameters"]),
    }
    plain["Conditions"]["WithCodeSigning"] = {"Fn::Not": [{"Fn::Equals": [{"Ref": SIGNING}, ""]}]}
    plain["Conditions"]["WithRegionalBucket"] = {"Fn::Equals": [{"Ref": "CodeBucketPerRegion"}, "true"]}
    interface = plain["Metadata"]["AWS::CloudFormation::Interface"]
    for group in interface["ParameterGroups"]:
        if BEFORE_SIGNING in group["Parameters"]:
            group["Parameters"].insert(group["Parameters"].index(BEFORE_SIGNING) + 1, SIGNING)
    interface["ParameterGroups"].insert(
        0, {"Label": {"default": "Packages"}, "Parameters": ["CodeBucket", "CodeBucketPerRegion", "CodePrefix"]}
    )
    order = ("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Conditions", "Resources")
    return {key: plain[key] for key in (*order, "Outputs")}


def _with_signing(parameters: Json) -> Json:
    """The parameters of template.yaml and that of code signing, which `sam deploy --guided` could not handle there."""
    signing = {
        "Description": "Code signing configuration that the functions' packages must satisfy; empty for none",
        "Type": "String",
        "AllowedPattern": "^(arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:csc-[a-z0-9]{17})?$",
        "Default": "",
    }
    found: Json = {}
    for name, parameter in parameters.items():
        found[name] = parameter
        if name == BEFORE_SIGNING:
            found[SIGNING] = signing
    return found


def install_text(version: str) -> str:
    """The install template as it is published."""
    head = (
        f"# EcsExecRole {version}. Upload {' and '.join(package_name(one, version) for one in FUNCTIONS)}\n"
        "# to an S3 bucket of the region, then create a stack of this with CAPABILITY_IAM. Made from template.yaml.\n"
    )
    return head + write(install_template(load_template(), version))


# -- the files --------------------------------------------------------------------------------------------------------


def zip_folder(folder: Path, target: Path) -> None:
    """Packs a folder so that the same files give the same bytes: sorted, without times, all readable."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, path.read_bytes(), compresslevel=9)


def absolute_links(text: str, repository: str, version: str) -> str:
    """Markdown whose links to files lead to the release's own in the repository, as a package's page needs them."""

    def absolute(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        kind = "raw" if image else "tree" if (ROOT / target.partition("#")[0]).is_dir() else "blob"
        return f"{image}[{label}]({repository}/{kind}/v{version}/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)]+)\)", absolute, text)


def package_source(folder: Path, repository: str) -> Path:
    """What the package on PyPI is built from: the repository's files that it has, and its address.

    Args:
        folder: where to put it.
        repository: the repository's address, as `https://github.com/…`; empty where a release is only tried: the
            package then has no links.
    """
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    shutil.copy2(ROOT / "LICENSE", folder)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if repository:
        readme = absolute_links(readme, repository, __version__)
        at = f"{repository}/blob/v{__version__}"
        urls = {
            "Repository": repository,
            "Documentation": f"{at}/docs/index.md",
            "Changelog": f"{at}/CHANGELOG.md",
            "Issues": f"{repository}/issues",
        }
        table = "".join(f"{name} = {json.dumps(url)}\n" for name, url in urls.items())
        project = project.replace("[project.scripts]\n", f"[project.urls]\n{table}\n[project.scripts]\n", 1)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")
    return folder


def build() -> None:
    """Fills dist/ with everything that a release publishes."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for function in FUNCTIONS:
        with tempfile.TemporaryDirectory() as folder:
            _run("make", "--silent", "-C", str(ROOT / "src"), f"build-{function}", f"ARTIFACTS_DIR={folder}")
            zip_folder(Path(folder), DIST / package_name(function, __version__))
    text = install_text(__version__)
    for name in (__version__, "latest"):
        (DIST / f"{name}.yaml").write_text(text, encoding="utf-8")
    # The folder that setuptools leaves would be packed into the next wheel.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = package_source(Path(folder) / "source", os.environ.get("SITE_REPOSITORY", ""))
        _run(str(TOOLS / "python"), "-m", "build", "--no-isolation", "--outdir", str(DIST), str(source))
    _run(str(TOOLS / "twine"), "check", "--strict", *map(str, [*DIST.glob("*.whl"), *DIST.glob("*.tar.gz")]))
    for lock, part in (
        ("src/requirements", "macro"),
        ("src/requirements-preflight", "preflight"),
        ("requirements/cli", "cli"),
    ):
        bill = DIST / f"ecs-exec-role-{part}-{__version__}.cdx.json"
        _run(
            *(str(TOOLS / "cyclonedx-py"), "requirements", str(ROOT / f"{lock}.txt"), "--pyproject"),
            *(str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON", "--output-file", str(bill)),
        )
    (DIST / "SHA256SUMS").write_text("".join(sums(DIST)), encoding="utf-8")
    for path in sorted(DIST.iterdir()):
        print(f"{path.stat().st_size:>9,}  {path.relative_to(ROOT)}")


def sums(folder: Path) -> Iterator[str]:
    """The lines of SHA256SUMS, as `sha256sum --check` reads them."""
    for path in sorted(folder.iterdir()):
        if path.name != "SHA256SUMS":
            yield f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Fault(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")


def main() -> int:
    """Reads the command line; 1 where there is a fault."""
    parser = argparse.ArgumentParser(description="What a release is made of")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, told in (
        ("check", "compare a tag with the versions here"),
        ("widened", "compare the roles with a tag's"),
    ):
        commands.add_parser(name, help=told).add_argument("tag")
    commands.add_parser("build", help="fill dist/")
    commands.add_parser("notes", help="print this version's part of CHANGELOG.md")
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "check":
                check(arguments.tag)
            case "widened":
                check_widened(arguments.tag)
            case "build":
                build()
            case _:
                print(changelog_section((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__))
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
