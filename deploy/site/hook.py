# SPDX-License-Identifier: Apache-2.0
"""What makes a site of docs/ that holds what its pages link to, and reads them as GitHub does.

Rules of this hook (mkdocs.yml names it):

- The pages in ``BESIDE`` lie outside docs/ and belong to the site. Any other file or folder of the repository that a page
  links to becomes a page of its own below ``source/``: a link never leads out of the site into nothing.
- The Markdown is GitHub's: the text of an item is indented by two characters at least, a heading has the name that
  GitHub's links use, a fence may say more than its language, and a table's code has its strokes escaped.
- ``folder/*`` in the navigation is every page of that folder, by name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from markdown import Extension, Markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from radiomicnet_md_traceability import markup

ROOT = Path(__file__).resolve().parents[2]
_SAME = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "SOUP.md", "audit/FORMAT.md", "audit/README.md")
BESIDE = {"README.md": "index.md"} | {name: name for name in _SAME}
_FENCED = re.compile(r"(^```.*?^```[^\n]*$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_SAID = re.compile(r"^(```\w+) .*")
_LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)#\s]+)")
_LANGUAGES = {".py": "python", ".yaml": "yaml"}


class GitHubLists(Extension):
    """Two characters make an item's text, where the library asks for four; four make code."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the library's name
        """Build the readers of blocks again, with the other width."""
        md.tab_length = 2
        md.build_parser()
        md.parser.blockprocessors["code"].tab_length = 4


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set what YAML cannot say."""
    config.markdown_extensions.insert(0, GitHubLists())
    config.mdx_configs["toc"]["slugify"] = lambda words, _: markup.anchor(words)
    config.nav = _spread(config.nav)
    return config


def _spread(entry: Any) -> Any:  # noqa: ANN401 - YAML
    """A part of the navigation, its patterns replaced by lists of pages."""
    if isinstance(entry, list):
        return [_spread(one) for one in entry]
    if isinstance(entry, dict):
        return {name: _spread(one) for name, one in entry.items()}
    if entry.endswith("/*"):
        return sorted(file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").glob(f"{entry}.md"))
    return entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from beside docs/, and those of linked sources."""
    for name, place in BESIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    for file in list(files.documentation_pages()):
        for target in _LINK.findall(_FENCED.sub("", file.content_string)):
            name = _named(file.src_uri, target)
            place = _place(name)
            if place.startswith("source/") and place not in files.src_uris and (ROOT / name).exists():
                files.append(
                    File.generated(config, place, content=_source(name), inclusion=InclusionLevel.NOT_IN_NAV)
                )
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """The page with links to where things lie in the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(here)

    def moved(found: re.Match[str]) -> str:
        return posixpath.relpath(_place(_named(here, found[1])), folder or ".")

    parts = _FENCED.split(markdown)
    return "".join(_code(part) if at % 2 else _LINK.sub(moved, part) for at, part in enumerate(parts))


def _code(part: str) -> str:
    """Code as the site's reader of Markdown wants it."""
    return _SAID.sub(r"\1", part) if part.startswith("```") else part.replace(r"\|", "|")


def _named(here: str, target: str) -> str:
    """The name in the repository of what a page of the site links to."""
    at = next((name for name, place in BESIDE.items() if place == here), f"docs/{here}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(at), target))


def _place(name: str) -> str:
    """Where in the site a file of the repository lies."""
    if name in BESIDE:
        return BESIDE[name]
    if not name.startswith("docs/"):
        return f"source/{name}.md"
    if (ROOT / name).is_dir():  # its first page; the navigation shows the others beside it
        name = min(file.relative_to(ROOT).as_posix() for file in (ROOT / name).glob("*.md"))
    return name.removeprefix("docs/")


def _source(name: str) -> str:
    """A page for a file, or for a folder's list of files."""
    path = ROOT / name
    if path.is_dir():
        return "\n".join([f"# {name}/\n", *(f"- `{below.name}`" for below in sorted(path.iterdir()))])
    text = path.read_text(encoding="utf-8")
    return f"# {name}\n\n````{_LANGUAGES.get(path.suffix, 'text')}\n{text}````\n"
