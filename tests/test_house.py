"""The rules of the house, checked like any other behaviour."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from itertools import takewhile
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("gateway", "ea_bridge", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))


MAX_LINES = 700
"""Lines of a file; most have 100 to 400."""
MAX_KNOWN_CIRCLES = 0
"""Breaches of the contract against circles that are known; lower it when one is mended."""


def run(*words: str) -> str:
    """Run Python, which must find nothing wrong; return what it said."""
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_imports_point_downwards():
    """The floors and contracts of pyproject.toml hold; a module that nobody placed breaks them."""
    run("-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())")


def test_known_circles_only_become_fewer():
    """Each import that the contract against circles leaves out would close one."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    [circles] = [one for one in contracts["contracts"] if one["type"] == "acyclic_siblings"]
    known = [tuple(one.split(" -> ")) for one in circles["ignore_imports"]]
    graph = grimp.build_graph(*contracts["root_packages"])
    for importer, imported in known:
        graph.remove_import(importer=importer, imported=imported)
    harmless = []
    for importer, imported in known:
        graph.add_import(importer=importer, imported=imported)
        if not graph.nominate_cycle_breakers(_common_package(importer, imported)):
            harmless.append(f"{importer} -> {imported}")
        graph.remove_import(importer=importer, imported=imported)

    assert harmless == []
    assert len(known) <= MAX_KNOWN_CIRCLES


def _common_package(*modules: str) -> str:
    """Return the lowest package that modules lie in."""
    levels = zip(*(module.split(".") for module in modules), strict=False)
    return ".".join(names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels))


@pytest.mark.timeout(600)
def test_types_are_right():
    """``mypy`` finds nothing, neither in the product nor in its tests: one that calls the product
    wrongly, or a fake that is not like it, shows nothing. Nor in its own configuration, of which
    it complains without failing."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "unused section" not in done.stdout


def test_types_of_the_product_are_complete():
    """The product is checked with all that ``mypy --strict`` means."""
    usage = run("-m", "mypy", "--help")
    listed = re.search(r"--strict  .*?flags:(.*?)\n  --", usage, re.DOTALL)
    assert listed is not None
    # lines are broken behind hyphens too
    names = {
        word.removeprefix("--").replace("-", "_")
        for word in re.sub(r"\s+", "", listed[1]).split(",")
    }
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    [product] = [one for one in settings["overrides"] if "gateway.*" in one["module"]]
    assert settings["files"] == ["gateway", "ea_bridge", "tests"]
    others = [one["module"] for one in settings["overrides"] if one is not product]
    names_of_others = [name for one in others for name in ([one] if isinstance(one, str) else one)]
    assert [one for one in names_of_others if one.startswith(("gateway", "ea_bridge", "*"))] == []
    assert product.pop("module") == ["gateway.*", "ea_bridge.*"]
    chosen = settings | product
    assert "disallow_untyped_defs" in names
    assert {one for one in names if not is_set(one, chosen)} == set()


def is_set(name: str, chosen: dict[str, object]) -> bool:
    """Whether a flag of mypy is set; ``no_...`` unsets what has the rest of its name."""
    value = chosen.get(name.removeprefix("no_"))
    return value is (not name.startswith("no_"))


def test_ruff_finds_nothing():
    """Neither its rules nor its format."""
    run("-m", "ruff", "check", "--no-cache", ".")
    run("-m", "ruff", "format", "--no-cache", "--check", ".")


def test_a_file_can_be_read_in_one_go():
    """A file is split at a concept, never at a line count; beyond this it holds two concepts."""
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCES + TESTS}
    assert {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MAX_LINES} == {}


def test_clocks_and_chance_are_asked_of_the_host():
    """What a daemon, console or emulator does can be simulated: it reads no clock, and draws
    nothing that :mod:`ea_bridge.host` does not give it. Commands and clients are programs of
    their own."""
    asks = re.compile(
        r"\btime\.(time|monotonic|perf_counter|clock_gettime|sleep)(_ns)?\b|\bos\.urandom\b"
        r"|\bsecrets\.(token_|rand|choice\()|\brandom\.(random|uniform|choice|randrange)\("
        r"|^from (time|random|secrets|uuid) import"
        r"|\bdatetime\.(now|utcnow)\b|\buuid\d?\(",
        re.MULTILINE,
    )
    own = (
        "gateway/cli/",
        "gateway/client/",
        "gateway/cli/bench/bench_daemon.py",
        "ea_bridge/host.py",
    )
    files = {path.relative_to(ROOT).as_posix(): path for path in SOURCES}
    found = [
        name
        for name, path in files.items()
        if not name.startswith(("tests/", "examples/", *own))
        and asks.search(path.read_text("utf-8"))
    ]

    assert found == []


def test_no_file_is_called_utils():
    """One noun, one file: nothing is a heap of helpers."""
    heaps = {"utils", "util", "helpers", "common", "misc"}

    assert [path for path in SOURCES if path.stem in heaps] == []


def test_nothing_is_left_to_do():
    """No TODO, no stub."""
    left = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    allowed = {ROOT / "gateway" / "cli" / "process.py"}  # catches what asyncio raises on Windows
    found = [p for p in SOURCES if p not in allowed and left.search(p.read_text("utf-8"))]

    assert found == []


@pytest.mark.xdist_group("house")
def test_a_group_of_tests_is_kept_together(request: pytest.FixtureRequest):
    """One worker runs all of a group, since they share a scene; xdist says so in their names."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@house"), "see pytest in pyproject.toml, and upgrade"


def test_every_ignore_has_its_reason():
    """``noqa`` and ``type: ignore`` say why."""
    bare = re.compile(r"# (noqa: [A-Z0-9, ]+|type: ignore\[[a-z-]+\])\s*$", re.MULTILINE)
    found = [str(p.relative_to(ROOT)) for p in SOURCES if bare.search(p.read_text("utf-8"))]

    assert found == []


def test_every_file_of_tests_has_a_name_of_its_own():
    """pytest imports them by name alone, and refuses the second."""
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))

    assert [name for name, count in names.items() if count > 1] == []
