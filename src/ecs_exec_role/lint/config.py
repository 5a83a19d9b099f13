"""Sets a project up for cfn-lint: the files that its configuration names, and the lines that name them.

Both stand in the project's repository, named relative to it, so that they serve everybody who works on it, in whichever
Python their cfn-lint is installed.

See https://github.com/aws-cloudformation/cfn-lint#configuration
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.lint import override

CONFIGS = (".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml")
"""The names that cfn-lint looks for, in its order."""

FOLDER = ".cfn-lint/ecs-exec-role"
SPEC = f"{FOLDER}/spec.json"
RULES = f"{FOLDER}/rules"


class Change(NamedTuple):
    """A file of the project as it should be."""

    path: Path
    text: str
    before: str | None
    """What it is now; None where there is none."""

    @property
    def state(self) -> str:
        """What became of it, in a word."""
        return "unchanged" if self.before == self.text else "new" if self.before is None else "updated"


class Plan(NamedTuple):
    """What is to be written, and what the project's owner should know."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def lint_config(project: Path) -> Plan:
    """What makes cfn-lint know `ExecutionRoleSpec` in a project. Nothing is written; see `write`.

    Args:
        project: the folder that cfn-lint is started in, a repository's top as a rule.

    Raises:
        TemplateError: the project's `.cfnlintrc` is nothing that cfn-lint reads.
        OSError: a file cannot be read.
    """
    config = next((project / name for name in CONFIGS if (project / name).is_file()), project / CONFIGS[0])
    before = _text(config)
    after, notes = _configured(before or "", config)
    rules = Path(__file__).with_name("project_rules.py").read_text(encoding="utf-8")
    files = [(project / SPEC, override.text()), (project / RULES / "ecs_exec_role_rules.py", rules)]
    changes = [Change(path, text, _text(path)) for path, text in files]
    return Plan((Change(config, after, before), *changes), tuple(notes))


def write(changes: Iterable[Change]) -> None:
    """Writes the files that are not yet as they should be."""
    for change in changes:
        if change.before != change.text:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            change.path.write_text(change.text, encoding="utf-8")


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _configured(text: str, path: Path) -> tuple[str, list[str]]:
    """The configuration with our two lines, everything else as it was; and what to know about it."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    if re.search("^ +- ", text, re.MULTILINE):
        yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        config: Any = yaml.load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _refused(f"{path}:{line}", f"is no YAML ({error.problem})", "mend its syntax") from None
    if config is None:
        lines = f"override_spec: {SPEC}\nappend_rules:\n  - {RULES}\n"
        return (f"{text.rstrip()}\n{lines}" if text.strip() else lines), []
    if not isinstance(config, dict):
        raise _refused(str(path), "is no mapping", "write cfn-lint's settings, such as `regions: [eu-central-1]`")
    notes = []
    changed = False
    if "override_spec" not in config:
        config["override_spec"] = SPEC
        changed = True
    elif config["override_spec"] != SPEC:
        notes.append(
            f"{path} names an override_spec of its own, {config['override_spec']}, which is kept, since cfn-lint takes "
            f"but one. The rules need none; only where ecs-exec-role is not installed, cfn-lint will not know "
            f"ExecutionRoleSpec, unless you copy the Patches from {SPEC} into yours."
        )
    rules = config.setdefault("append_rules", [])
    if not isinstance(rules, list):
        raise _refused(str(path), "has append_rules that are no list", "write it as a list")
    if RULES not in rules:
        rules.append(RULES)
        changed = True
    if not changed:
        return text, notes
    written = io.StringIO()
    yaml.dump(config, written)
    return written.getvalue(), notes


def _refused(path: str, what: str, fix: str) -> TemplateError:
    return TemplateError([Problem(path, what, fix)])
