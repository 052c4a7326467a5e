"""``docs``: the pages of docs as files of HTML, in a browser; nothing is loaded from elsewhere."""

from __future__ import annotations

import html
import os
import re
import tempfile
import webbrowser
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import CliError

if TYPE_CHECKING:
    from markdown_it.token import Token

INDEX = "index.md"
PACKED = Path(__file__).parents[1] / "documents"
"""Where the pages lie in a wheel; in a clone they are in ``docs``."""
OF_A_CLONE = Path(__file__).parents[2] / "docs"
SITE = "site"
"""Folder of a clone in which Zensical builds the pages as a site."""
PICTURES = frozenset({".png", ".svg"})
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ display: flex; gap: 2rem; margin: 0; font: 16px/1.55 system-ui, sans-serif; }}
nav {{ flex: 0 0 17rem; height: 100vh; overflow: auto; position: sticky; top: 0;
  box-sizing: border-box; padding: 1rem; font-size: 14px; border-right: 1px solid #8885; }}
nav h1 {{ font-size: 16px; }} nav h2 {{ font-size: 14px; margin: 1em 0 .2em; }}
nav ul {{ margin: 0; padding-left: 1.1em; }} nav > p {{ display: none; }}
main {{ flex: 1; min-width: 0; max-width: 52rem; padding: 1rem 1rem 4rem; }}
pre {{ overflow: auto; padding: .8em; background: #8882; border-radius: 4px; }}
code {{ font: 0.88em ui-monospace, monospace; }}
table {{ border-collapse: collapse; display: block; overflow: auto; }}
td, th {{ border: 1px solid #8886; padding: .3em .6em; text-align: left; vertical-align: top; }}
blockquote {{ margin-left: 0; padding-left: 1em; border-left: 3px solid #8888; }}
img {{ max-width: 100%; height: auto; }}
@media (max-width: 50rem) {{ body {{ flex-direction: column; }}
  nav {{ order: 1; position: static; height: auto; border: 0; }} }}
@media print {{ nav {{ display: none; }} }}
</style>
</head>
<body>
<nav>{navigation}</nav>
<main>{body}</main>
</body>
</html>
"""


def docs(
    *,
    page: Annotated[str, typer.Argument(help="A page, such as orders.")] = "index",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pages; a new temporary one if absent.")
    ] = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the address, and open no browser.")
    ] = False,
) -> None:
    """Open the documents in the browser, without a network."""
    source = PACKED if PACKED.is_dir() else OF_A_CLONE
    pages = {path.relative_to(source).as_posix(): path for path in source.rglob("*.md")}
    name = f"{page.removesuffix('.md')}.md"
    if name not in pages:
        raise CliError(f"there is no page {page}; there are {', '.join(sorted(pages))}", 2)
    folder = Path(tempfile.mkdtemp(prefix="mt-gateway-docs-")) if out is None else out
    try:
        write_pages(source, folder)
    except OSError as error:
        raise CliError(f"{folder}: {error.strerror or error}") from error
    address = (folder / name).with_suffix(".html").resolve().as_uri()
    if only_print or not webbrowser.open(address):
        typer.echo(address)


def write_pages(source: Path, folder: Path) -> None:
    """Write all pages of a folder, and their pictures, as HTML into another."""
    texts = {
        path.relative_to(source).as_posix(): path.read_text("utf-8")
        for path in sorted(source.rglob("*.md"))
    }
    for picture in source.rglob("*"):
        if picture.suffix in PICTURES and picture.relative_to(source).parts[0] != SITE:
            copy = folder / picture.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(picture.read_bytes())
    for name, text in texts.items():
        place = (folder / name).with_suffix(".html")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(page_of(name, text, texts), "utf-8")


def page_of(name: str, text: str, texts: Mapping[str, str]) -> str:
    """Return a page as HTML.

    Args:
        name: of its file, as ``recipes/vps.md``.
        text: of the page, in Markdown.
        texts: all pages by name, which it may link to.

    """
    title = re.search(r"^# (.*)", text)
    return PAGE.format(
        title=html.escape(title[1] if title else name),
        navigation=_rendered(texts[INDEX], INDEX, name, texts),
        body=_rendered(text, name, name, texts),
    )


def _rendered(text: str, of: str, shown_on: str, texts: Mapping[str, str]) -> str:
    """Render a text of one page so that its links lead on from another."""
    from markdown_it import MarkdownIt

    # HTML is for remarks to those who write the pages: it is left out
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = [token for token in reader.parse(text) if token.type != "html_block"]
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", anchor_of(inline.content))
    for token in tokens:
        children = [child for child in token.children or () if child.type != "html_inline"]
        if token.children is not None:
            token.children = _with_links(children, of, shown_on, texts)
    rendered: str = reader.renderer.render(tokens, reader.options, {})
    return rendered


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as the pages' links name it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _with_links(
    children: list[Token], of: str, shown_on: str, texts: Mapping[str, str]
) -> list[Token]:
    """Turn links to pages into links to their HTML; take those to other files away."""
    kept: list[Token] = []
    closed_by_none = 0
    for child in children:
        if child.type == "link_open":
            target = _target(str(child.attrGet("href")), of, shown_on, texts)
            if target is None:
                closed_by_none += 1
                continue
            child.attrSet("href", target)
        elif child.type == "link_close" and closed_by_none:
            closed_by_none -= 1
            continue
        kept.append(child)
    return kept


def _target(href: str, of: str, shown_on: str, texts: Mapping[str, str]) -> str | None:
    """Return where a link leads from the page that shows it; ``None``: to nothing that is here."""
    path, mark, fragment = href.partition("#")
    if re.match(r"[a-z]+:", path):
        return href
    if not path:
        return href
    name = os.path.normpath(PurePosixPath(of).parent / path).replace(os.sep, "/")
    if name not in texts:
        return None
    start = PurePosixPath(shown_on).parent
    return os.path.relpath(name, start).replace(os.sep, "/").removesuffix(".md") + (
        f".html{mark}{fragment}"
    )
