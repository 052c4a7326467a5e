"""``mt-gateway docs``: the pages as files, whole, without anything from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from demo_process import clean_environment
from warm_process import run_warm

from gateway.cli.docs import OF_A_CLONE, page_of, write_pages

LOADS = frozenset({"src", "srcset", "data", "poster", "action", "background"})


class Parts(HTMLParser):
    """What a page links to, loads and can be entered at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.elements: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in LOADS or name == "href":
                self.loads.append(value or "")
            elif name == "id":
                self.anchors.add(value or "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages."""
    place = tmp_path_factory.mktemp("pages")
    write_pages(OF_A_CLONE, place)
    return place


def test_every_link_leads_to_a_page_and_a_heading(folder: Path) -> None:
    """Of this folder; addresses elsewhere are for people to follow."""
    pages = {path: Parts(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    dead = []
    for path, parts in pages.items():
        for link in parts.links:
            address = urlsplit(link)
            if address.scheme:
                continue
            place = (path.parent / unquote(address.path)).resolve() if address.path else path
            known = pages.get(place)
            if known is None or (address.fragment and address.fragment not in known.anchors):
                dead.append(f"{path.relative_to(folder)}: {link}")

    assert len(pages) == len(list(OF_A_CLONE.rglob("*.md")))
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(folder: Path) -> None:
    """No script, no frame, and pictures of this folder alone."""
    for path in folder.rglob("*.html"):
        text = path.read_text("utf-8")
        parts = Parts(text)
        assert not parts.elements & {"script", "iframe", "object", "embed", "form", "link"}, path
        assert [one for one in parts.loads if not (path.parent / one).is_file()] == [], path
        assert "url(" not in text.partition("</style>")[0]
        assert "<!--" not in text


def test_html_of_a_page_is_left_out() -> None:
    """It would be a way in for a script."""
    text = "# A\n\n<script>alert(1)</script>\n\na <img src=x onerror=alert(1)> b\n"
    page = page_of("a.md", text, {"index.md": "# I\n", "a.md": text})

    assert Parts(page).elements.isdisjoint({"script", "img"})
    assert re.search(r"<p>a\s+b</p>", page)


def test_the_command_writes_the_pages_and_tells_where(tmp_path: Path) -> None:
    """One page is asked for; one that is not there is named with those that are."""
    words = ("docs", "orders", "--print", "--out", str(tmp_path))
    done = run_warm(*words, env=clean_environment(), timeout_s=60)
    wrong = run_warm("docs", "nothing", "--print", env=clean_environment(), timeout_s=60)

    assert done.stdout.strip() == (tmp_path / "orders.html").resolve().as_uri()
    assert (tmp_path / "reference" / "methods.html").is_file()
    assert wrong.returncode == 2
    assert "orders.md" in wrong.stderr
