"""Builds the documentation site from `docs/`, the examples and the playground, and checks its links.

    python -m scripts.site reference          write docs/spec.md from the language of the spec
    python -m scripts.site build              build/site, from docs/ and build/playground
    python -m scripts.site links              check every link inside of build/site

The pages of `docs/` are plain Markdown that is readable in the repository. What must differ on the site is changed in a
copy: links to files that are not pages lead to the repository, and the first page has the playground on it.
"""

from __future__ import annotations

import argparse
import html
import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from ecs_exec_role.features import FEATURES
from ecs_exec_role.needs.feature import Key
from ecs_exec_role.spec.language import LANGUAGE, MODES
from ecs_exec_role.spec.schema import fits

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = ROOT / "build" / "site-pages"
SITE = ROOT / "build" / "site"
PLAYGROUND = ROOT / "build" / "playground"
REFERENCE = DOCS / "spec.md"

EMBEDDED = """
<iframe class="playground" loading="lazy" src="playground/index.html?embed"
  title="Playground: a template, and its execution role"></iframe>

[Open the playground in a page of its own](playground/index.html){ .md-button }
"""

# Pages at the top of the repository, where GitHub looks for them.
TOP = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}

STYLE = """\
.playground {
  width: 100%; height: min(34rem, 75vh);
  border: 1px solid var(--md-default-fg-color--lightest); border-radius: .4rem;
}
@media (max-width: 60em) { .playground { display: none; } }
.md-typeset table:not([class]) { display: table; }
"""

_LINK = re.compile(r"(?P<before>\]\()(?P<target>[^()\s]+)(?P<after>(?:\s+\"[^\"]*\")?\))")
_MERMAID = re.compile(r"^```mermaid\nflowchart LR\n(?P<chain>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(^```.*?^```\s*?$|^~~~.*?^~~~\s*?$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def repository() -> str:
    """The address of the repository; the workflow that publishes the site knows it."""
    return os.environ.get("SITE_REPOSITORY", "https://github.com/OWNER/ecs-exec-role")


# -- the reference -----------------------------------------------------------------------------------------------------


def reference() -> str:
    """The page about the keys of `ExecutionRoleSpec`, made from the table that the macro reads specs by."""
    features = {key.name: feature for feature in FEATURES for key in feature.keys}
    lines = [
        "# What you can write in `ExecutionRoleSpec`",
        "",
        "<!-- Made by `python -m scripts.site reference` from the table that the macro uses to read a spec. -->",
        "",
        "`ExecutionRoleSpec` is a property of an `AWS::ECS::TaskDefinition`, `AWS::ECS::DaemonTaskDefinition`,",
        "`AWS::ECS::ExpressGatewayService` or `AWS::Batch::JobDefinition`, which then gets its own role, or of an",
        "`AWS::IAM::Role`, which is completed. Its value is one of these:",
        "",
        "| value | meaning |",
        "| --- | --- |",
        f"| `{MODES[0]}`, or `{{}}` | Allow all that the definition needs. |",
        f"| `{MODES[1]}` | Attach `AmazonECSTaskExecutionRolePolicy`, and nothing else. |",
        "| a mapping of the keys below | Allow all that the definition needs, and what the lists name. |",
        "",
        "Every value can be an intrinsic function that returns it. If the macro itself must know a key, the",
        "message says so.",
        "",
        "| key | value | for |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| [`{key.name}`](#{key.name.lower()}) | {_form(key)} | {key.description} |" for key in LANGUAGE.values()
    ]
    for key in LANGUAGE.values():
        lines += ["", f"## {key.name}", "", key.description, "", *_details(key)]
        if key.name in features:
            feature = features[key.name]
            lines += ["", f"What it grants: [{feature.title}](features.md#{_slug(feature.title)})."]
        for example in key.examples:
            written = yaml.safe_dump({key.name: example}, sort_keys=False, default_flow_style=False).rstrip()
            lines += ["", "```yaml", "ExecutionRoleSpec:", *(f"  {line}" for line in written.splitlines()), "```"]
    return "\n".join(lines) + "\n"


def _slug(title: str) -> str:
    return re.sub(r"[^\w-]+", "-", title.lower()).strip("-")


def _choices(choices: tuple[bool | str, ...]) -> str:
    named = [f"`{str(choice).lower()}`" if isinstance(choice, bool) else f"`{choice}`" for choice in choices]
    return " or ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _form(key: Key) -> str:
    forms = {
        "choice": _choices(key.choices) if key.choices else "",
        "texts": "a list of texts" + (f"; or {_choices(key.choices)}" if key.choices else ""),
        "entries": f"a list of texts, or of mappings with `{key.item}`",
        "logical-ids": "a list of logical IDs",
        "statements": "a list of IAM statements",
        "text": "a text",
        "number": "a number",
        "tags": "a list of tags",
    }
    return forms[key.form]


def _details(key: Key) -> Iterator[str]:
    default = "" if key.default is None else f"; {_choices((key.default,))} if the key is absent"
    yield f"- Value: {_form(key)}{default}."
    if key.on_role is True:
        yield "- Only on `AWS::IAM::Role`."
    elif key.on_role is False:
        yield "- Not on `AWS::IAM::Role`, which has a property of this name."
    if not fits(key, "snippet") and key.on_role is not False:
        yield "- Not in `Fn::Transform`, which sees only the role."
    for option in key.options:
        default = "" if option.default is None else f"; {_choices((option.default,))} if it is absent"
        values = f" ({_choices(option.choices)}{default})" if option.choices else ""
        yield f"- `{option.name}` in a mapping{values}: {option.description}"


# -- the pages ---------------------------------------------------------------------------------------------------------


def prepare() -> None:
    """Copies all pages into `build/site-pages`, as the site has them."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for source in sorted(DOCS.rglob("*.md")):
        _write(source.relative_to(DOCS).as_posix(), source.read_text("utf-8"), source.relative_to(ROOT).as_posix())
    for name, page in TOP.items():
        _write(page, (ROOT / name).read_text("utf-8"), name)
    for source in sorted((ROOT / "examples").glob("*.yaml")):
        _write(f"examples/{source.stem}.md", _example(source), "")
    (PAGES / "site.css").write_text(STYLE, "utf-8")


def _write(page: str, text: str, source: str) -> None:
    parts = _CODE.split(text)
    # Every second part is code, and a link in code is not one.
    parts[::2] = [_LINK.sub(lambda match: _linked(match, source, page), part) for part in parts[::2]]
    text = _MERMAID.sub(_chain, "".join(parts))
    if page == "index.md":
        # The first page has no columns beside it, so that the playground has room for its two.
        text = "---\nhide:\n  - navigation\n  - toc\n---\n" + text.replace("<!-- playground -->", EMBEDDED)
    target = PAGES / page
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")


def _chain(match: re.Match[str]) -> str:
    """A chain of Mermaid's as a list: the library that draws it would have to be loaded from another host."""
    labels: dict[str, str] = {}
    for name, label in re.findall(r'(\w+)(?:\["([^"]*)"\])?(?= -->|\n)', match["chain"]):
        labels[name] = label or labels.get(name, name)
    items = [label.partition("<br/>") for label in labels.values()]
    return "\n".join(f"1. **{title}**: {rest.replace('<br/>', ' ')}" for title, _, rest in items)


def _linked(match: re.Match[str], source: str, page: str) -> str:
    target, hash_mark, anchor = match["target"].partition("#")
    if not source or not target or urlsplit(target).scheme:
        return match[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path == "README.md" and anchor == "what-you-can-write":
        path, hash_mark, anchor = REFERENCE.relative_to(ROOT).as_posix(), "", ""
    # The README has sections that are not on the first page.
    on_site = None if path == "README.md" and anchor else _page_of(path)
    if on_site is None:
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        link = f"{repository()}/{kind}/main/{path}"
    else:
        link = posixpath.relpath(on_site, posixpath.dirname(page) or ".")
    return f"{match['before']}{link}{hash_mark}{anchor}{match['after']}"


def _page_of(path: str) -> str | None:
    """The page of the site that a file of the repository becomes."""
    if path in TOP:
        return TOP[path]
    if path == "README.md":
        return "index.md"
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    if re.fullmatch(r"examples/[\w-]+\.yaml", path):
        return path.removesuffix(".yaml") + ".md"
    return None


def _example(source: Path) -> str:
    text = source.read_text("utf-8")
    comment = re.match(r"(?:#.*\n)+", text)
    about = re.sub(r"^# ?", "", comment[0], flags=re.MULTILINE).strip() if comment else ""
    title = re.search(r"^Description: (.+)$", text, re.MULTILINE)
    rest = text[comment.end() :] if comment else text
    return "\n".join(
        [
            f"# {title[1].strip(chr(34)) if title else source.stem}",
            "",
            about,
            "",
            f"[Open it in the playground](../playground/index.html#example={source.stem}){{ .md-button }}",
            "",
            "```yaml",
            rest.rstrip(),
            "```",
            "",
        ]
    )


def build() -> None:
    """Builds the site, and puts the playground into it."""
    if not (PLAYGROUND / "index.html").exists():
        raise SystemExit("build/playground is not there; run `make playground` first")
    prepare()
    shutil.rmtree(SITE, ignore_errors=True)
    subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--clean", "--config-file", "zensical.toml"],
        cwd=ROOT,
        check=True,
    )
    shutil.copytree(PLAYGROUND, SITE / "playground", dirs_exist_ok=True)


# -- the links ---------------------------------------------------------------------------------------------------------


class _Page(HTMLParser):
    """The links of a page, what can be linked to in it, and what it loads by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said[name] for name in ("id", "name") if name in said}
        if "href" in said and tag == "a":
            self.links.append(said["href"])
        elif "src" in said:
            self.loaded.append(said["src"])
        elif tag == "link" and {"stylesheet", "icon", "preload", "modulepreload"} & set(said.get("rel", "").split()):
            self.loaded.append(said["href"])


def wrong_links(site: Path = SITE) -> Iterator[str]:
    """Every link to a page or heading that does not exist, and everything that is loaded from another host."""
    pages = {path: _Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(html.unescape(link))
            if parts.scheme in ("data", "mailto", "javascript"):
                continue
            if parts.netloc:
                if link in page.loaded:
                    yield f"{path.relative_to(site)}: loads {link} from another host"
                continue
            # The page for a missing address links from the top of the site, wherever that is.
            if path.name == "404.html" and parts.path.startswith("/"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            if not target.exists():
                yield f"{path.relative_to(site)}: {link} leads to nothing"
            elif (
                parts.fragment
                and target in pages
                and "playground" not in target.parts
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                yield f"{path.relative_to(site)}: {link} leads to no place on that page"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.site", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=["reference", "build", "links"])
    command = parser.parse_args().command
    if command == "reference":
        REFERENCE.write_text(reference(), "utf-8")
    elif command == "build":
        build()
    else:
        wrong = list(wrong_links())
        for line in wrong:
            print(line)
        if wrong:
            raise SystemExit(f"{len(wrong)} links are wrong")
        print(f"Every link in {SITE.relative_to(ROOT)} leads to something.")


if __name__ == "__main__":
    main()
