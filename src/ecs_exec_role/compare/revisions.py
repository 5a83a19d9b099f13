"""Templates as they are in a revision of Git.

It only runs plumbing commands, on names that were resolved to hashes before, so that nothing in a repository or in an
argument can act as an option.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.errors import InvalidInput, NoAnswer
from ecs_exec_role.offline.template_file import TemplateFile


class Range(NamedTuple):
    """The two sides that `--rev` names, as commits; `after` is empty for the files of the working tree.

    `before_name` and `after_name` are how messages call them.
    """

    before: str
    before_name: str
    after: str
    after_name: str


def resolve(text: str) -> Range:
    """The revisions that `--rev` names.

    `A` is compared with the working tree, `A..B` compares two revisions, and `A...B` compares B with the commit from
    which it branched off A, as `git diff` does. An empty side of the last two is HEAD.

    Raises:
        InvalidInput: there is no such revision, or this is not a repository.
        NoAnswer: Git is not installed.
    """
    if ".." not in text:
        return Range(_commit(text), text, "", "")
    dots = "..." if "..." in text else ".."
    one, _, other = text.partition(dots)
    one, other = one or "HEAD", other or "HEAD"
    before, after = _commit(one), _commit(other)
    if dots == "..":
        return Range(before, one, after, other)
    base = _git("merge-base", before, after)
    if base.returncode:
        raise InvalidInput(f"--rev {text}: {one} and {other} have no common commit")
    commit = base.stdout.decode().strip()
    return Range(commit, f"{one}~{commit[:7]}" if commit != before else one, after, other)


def changed(revisions: Range, patterns: Sequence[str]) -> list[str]:
    """The files that a pattern matches and that differ between the two sides, relative to the current folder."""
    sides = [revisions.before, *([revisions.after] if revisions.after else [])]
    specs = [f":(glob){pattern}" for pattern in patterns]
    # No textconv and no external diff of the repository's configuration runs.
    done = _git(
        "diff",
        "--name-only",
        "--relative",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        *sides,
        "--",
        *specs,
    )
    if done.returncode:
        raise InvalidInput(f"git cannot compare the revisions: {_why(done)}")
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def read(commit: str, revision: str, name: str) -> TemplateFile | None:
    """A template in a revision; None if the revision does not have it.

    Args:
        commit: the hash of the revision.
        revision: its name, for messages.
        name: the file, relative to the current folder.

    Raises:
        InvalidTemplate: it is not a template.
    """
    path = Path(name)
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    inner = path.relative_to(folder).as_posix()
    listed = _git("ls-tree", "-z", "--full-tree", commit, "--", _from_top(folder, inner), folder=folder)
    if listed.returncode or not listed.stdout:
        return None
    mode, kind, blob = listed.stdout.split(b"\t")[0].decode().split()
    if kind != "blob" or mode == "120000":
        raise InvalidInput(f"{name} is not a file in {revision}")
    text = _git("cat-file", "blob", blob, folder=folder)
    if text.returncode:
        raise InvalidInput(f"git cannot read {name} in {revision}: {_why(text)}")
    return template_file.of_bytes(f"{revision}:{name}", text.stdout)


def _from_top(folder: Path, inner: str) -> str:
    """A file's name from the top of the repository."""
    prefix = _git("rev-parse", "--show-prefix", folder=folder)
    return os.fsdecode(prefix.stdout.rstrip(b"\n")) + inner


def _commit(revision: str) -> str:
    done = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode:
        inside = _git("rev-parse", "--is-inside-work-tree")
        if inside.returncode:
            raise InvalidInput(f"--rev {revision}: this folder is not in a Git repository")
        fix = "write a branch, a tag or a commit; in a shallow clone, fetch it first (actions/checkout: fetch-depth: 0)"
        raise InvalidInput(f"--rev {revision}: there is no such revision; {fix}")
    return done.stdout.decode().strip()


def _git(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603 - no shell, and revisions are hashes
            ["git", "-c", "core.fsmonitor=false", *(["-C", str(folder)] if folder is not None else []), *arguments],  # noqa: S607 - the user's Git
            capture_output=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise NoAnswer("--rev needs Git; install it, or name two templates") from None


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
