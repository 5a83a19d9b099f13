"""Prepares a project for cfn-lint and cfn-validate: the files that they read, and the lines that name them.

They are in the project's repository, with relative names, so they work for everybody who works on it, in every
Python that cfn-lint is installed in.

See https://github.com/aws-cloudformation/cfn-lint#configuration
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.lint import overlay, override
from ecs_exec_role.named_tuple import NamedTuple

CONFIGS = (".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml")
"""The file names that cfn-lint reads, in its order."""

FOLDER = ".cfn-lint/ecs-exec-role"
SPEC = f"{FOLDER}/spec.json"
RULES = f"{FOLDER}/rules"
SCHEMAS = f"{FOLDER}/schemas"
"""The files for cfn-validate, which has no configuration file: each is an `--additional-schema` on its command line."""


class Change(NamedTuple):
    """A file of the project as it should be."""

    path: Path
    text: str
    before: str | None
    """The current content; None if there is no file."""

    @property
    def state(self) -> str:
        """What happened to it, in one word."""
        return "unchanged" if self.before == self.text else "new" if self.before is None else "updated"


class Plan(NamedTuple):
    """What to write, and what the project's owner should know."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def lint_config(project: Path) -> Plan:
    """The files for cfn-lint and cfn-validate in a project. Nothing is written; see `write`.

    Args:
        project: the folder that cfn-lint is started in, normally the top of a repository.

    Raises:
        TemplateError: the project's `.cfnlintrc` cannot be read by cfn-lint.
        OSError: a file cannot be read.
    """
    config = next((project / name for name in CONFIGS if (project / name).is_file()), project / CONFIGS[0])
    before = _text(config)
    after, notes = _configured(before or "", config)
    rules = Path(__file__).with_name("project_rules.py").read_text(encoding="utf-8")
    files = [(project / SPEC, override.text()), (project / RULES / "ecs_exec_role_rules.py", rules)]
    files.extend((project / SCHEMAS / name, text) for name, text in overlay.overlays().items())
    changes = [Change(path, text, _text(path)) for path, text in files]
    return Plan((Change(config, after, before), *changes), tuple(notes))


def write(changes: Iterable[Change]) -> None:
    """Writes the files that differ from what they should be."""
    for change in changes:
        if change.before != change.text:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            change.path.write_text(change.text, encoding="utf-8")


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _configured(text: str, path: Path) -> tuple[str, list[str]]:
    """The configuration with our two lines, without any other change; and what to know about it."""
    root = _parsed(text, path)
    if root is None:
        return _line(text) + f"override_spec: {SPEC}\nappend_rules:\n  - {RULES}\n", []
    settings = {key.value: value for key, value in root.value}
    notes = []
    # Insertions are made from the end of the text to its start, so the positions before them do not change.
    added: dict[str, str] = {}
    spec = settings.get("override_spec")
    if spec is None:
        added["override_spec"] = f'"{SPEC}"' if root.flow_style else SPEC
    elif spec.value != SPEC:
        notes.append(
            f"{path} names another override_spec, {spec.value}. It is kept, because cfn-lint accepts only one. The "
            f"rules do not need it; but without ecs-exec-role installed, cfn-lint does not know ExecutionRoleSpec, "
            f"unless you copy the Patches from {SPEC} into yours."
        )
    rules = settings.get("append_rules")
    if rules is None:
        added["append_rules"] = f'["{RULES}"]' if root.flow_style else f"\n  - {RULES}"
    if added:
        text = _with_settings(text, root, added)
    if rules is not None:
        text = _with_rules(text, rules, path)
    return text, notes


def _parsed(text: str, path: Path) -> Any:
    """The configuration's root node, a mapping; None if there is nothing in it."""
    try:
        root = YAML(pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _refused(f"{path}:{line}", f"is not valid YAML ({error.problem})", "correct its syntax") from None
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return None
    if root.id != "mapping":
        raise _refused(str(path), "is not a mapping", "write cfn-lint's settings, such as `regions: [eu-central-1]`")
    return root


def _with_settings(text: str, root: Any, added: dict[str, str]) -> str:
    """The text with settings added to its mapping."""
    if root.flow_style:
        return _in_brackets(text, root, [f'"{name}": {value}' for name, value in added.items()])
    end = root.end_mark.index
    lines = [f"{name}:{'' if value.startswith(chr(10)) else ' '}{value}\n" for name, value in added.items()]
    return _line(text[:end]) + "".join(lines) + text[end:]


def _with_rules(text: str, rules: Any, path: Path) -> str:
    """The text with our rules in its `append_rules`."""
    if rules.id != "sequence":
        raise _refused(str(path), "has append_rules that are not a list", "write it as a list")
    if any(item.value == RULES for item in rules.value):
        return text
    if rules.flow_style:
        return _in_brackets(text, rules, [f'"{RULES}"'])
    end = text.find("\n", rules.value[-1].end_mark.index)
    end = len(text) if end < 0 else end + 1
    return f"{_line(text[:end])}{' ' * rules.start_mark.column}- {RULES}\n{text[end:]}"


def _in_brackets(text: str, node: Any, items: list[str]) -> str:
    """The text with items added to a mapping or list in YAML's flow style."""
    end = node.end_mark.index - 1
    before = text[:end].rstrip()
    comma = ", " if node.value and not before.endswith(",") else " " if before.endswith(",") else ""
    return f"{before}{comma}{', '.join(items)}{text[end:]}"


def _line(text: str) -> str:
    """The text, ended as a line."""
    return text if not text or text.endswith("\n") else f"{text}\n"


def _refused(path: str, what: str, fix: str) -> TemplateError:
    return TemplateError([Problem(path, what, fix, "linter-configuration")])
