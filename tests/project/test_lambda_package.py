"""What `sam build` packs: each function's own modules, complete, small, and nothing more."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

# Building the packages takes seconds, so one process of xdist runs all tests of them.
pytestmark = pytest.mark.xdist_group("packages")
SOURCE = Path(__file__).parents[2] / "src"
MEGABYTE = 1_000_000
# What Lambda's runtime has. Powertools checks whether botocore exists, and loads only its first module;
# botocore uses certifi if it is installed, as it is for these tests, and otherwise works without it.
BOTO = {"boto3", "botocore", "certifi", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}


class Package(NamedTuple):
    """A function's package: its folder, its handler's module, what it must not contain, what Lambda's runtime adds."""

    folder: Path
    handler: str
    foreign: frozenset[str]
    runtime: frozenset[str]


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(
            (
                "MacroFunction",
                "ecs_exec_role.macro",
                {"crhelper", "preflight", "offline", "audit", "migrate", "explain", "deployed", "cli", "lint"},
                {"botocore"},
            ),
            id="macro",
        ),
        pytest.param(
            (
                "PreflightFunction",
                "ecs_exec_role.preflight.handler",
                {"template", "features", "offline", "audit", "cli", "lint"},
                BOTO,
            ),
            id="preflight",
        ),
    ],
)
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Package:
    name, handler, foreign, runtime = request.param
    folder = tmp_path_factory.mktemp(name)
    command = ["make", "--silent", f"build-{name}", f"ARTIFACTS_DIR={folder}", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Package(folder, handler, frozenset(foreign), frozenset(runtime))


def files(package: Package) -> Iterator[Path]:
    return (path for path in package.folder.rglob("*") if path.is_file())


def test_package_holds_all_that_the_function_imports(package: Package) -> None:
    """Except for boto3 and its dependencies in Lambda's runtime, nothing else of this machine may be loaded."""
    script = f"""
import importlib, json, sys
sys.path.insert(0, {str(package.folder)!r})
handler = importlib.import_module({package.handler!r}).handler
files = ((name, getattr(module, "__file__", None)) for name, module in sys.modules.items())
print(json.dumps({{name: file for name, file in files if file}}))
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded: dict[str, str] = json.loads(done.stdout)
    assert Path(loaded[package.handler]).is_relative_to(package.folder)
    strangers = {
        name.partition(".")[0]
        for name, path in loaded.items()
        if not Path(path).is_relative_to(package.folder)
        and (Path(path).is_relative_to(SOURCE) or "site-packages" in path)
        and not name.startswith("_")
    }
    assert strangers <= package.runtime


def test_package_leaves_out_what_is_not_its_own(package: Package) -> None:
    names = {part for path in files(package) for part in path.relative_to(package.folder).parts}
    assert not package.foreign & names
    assert "boto3" not in names
    assert not [path for path in files(package) if path.suffix == ".so"]


def test_zip_is_at_most_two_megabytes(package: Package, tmp_path: Path) -> None:
    archive = tmp_path / "function.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in files(package):
            target.write(path, path.relative_to(package.folder))
    assert archive.stat().st_size <= 2 * MEGABYTE


def test_licences_of_the_dependencies_are_in_the_package(package: Package) -> None:
    assert {path.parent.name.split("-")[0] for path in package.folder.glob("*.dist-info/METADATA")} >= {
        "aws_lambda_powertools",
        "jmespath",
    }


def test_xdist_sees_the_group(request: pytest.FixtureRequest) -> None:
    """Otherwise each process builds the packages, and whatever else the other groups share."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("this run does not send groups to processes")
    assert request.node.nodeid.endswith("@packages")
