"""What a stranger would trip over: paths of one machine, network hosts, dead links, large files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Put together here so that this file does not hold what it looks for.
MACHINE_PATHS = re.compile(
    "|".join(["/wor" + "k/", "/ro" + "ot/", r"/home/\w+/", "/far" + "m/", "/Us" + "ers/"])
)
REGISTRIES = re.compile(
    "|".join(
        [r"py" + r"pi\.org", "python" + "hosted", r"npm" + r"js\.", r"deb\.deb" + "ian", "index-" + "url ?="]
    )
)
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "HA" + "CK", "NotImplemented" + "Error"]))
SILENT_EXCEPT = re.compile(r"except( Exception| BaseException)?:\s*(pass|\.\.\.)$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
MEGABYTE = 1024 * 1024


def tracked() -> list[Path]:
    """The files of the project: what git tracks, and what it would if it were added."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts(*suffixes: str) -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        if path.name.endswith(".lock") or (suffixes and path.suffix not in suffixes):
            continue
        try:
            found.append((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def hits(pattern: re.Pattern[str], files: list[tuple[str, str]]) -> list[str]:
    return [f"{name}: {match.group()}" for name, text in files for match in pattern.finditer(text)]


def test_no_path_of_one_machine() -> None:
    assert not hits(MACHINE_PATHS, texts())


def test_no_package_registry_is_named() -> None:
    assert not hits(REGISTRIES, texts())


def test_nothing_is_marked_unfinished() -> None:
    assert not hits(UNFINISHED, texts(".py", ".sql", ".yml", ".yaml"))


def test_no_exception_is_swallowed() -> None:
    assert not hits(SILENT_EXCEPT, texts(".py"))


def test_no_large_file() -> None:
    assert not [str(path.relative_to(ROOT)) for path in tracked() if path.stat().st_size > MEGABYTE]


def test_links_in_documents_lead_somewhere() -> None:
    dead = []
    for name, text in texts(".md"):
        for target in LINK.findall(text):
            if (
                "://" not in target
                and not target.startswith("mailto:")
                and not ((ROOT / name).parent / target).exists()
            ):
                dead.append(f"{name}: {target}")
    assert not dead


def test_the_readme_shows_both_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        name
        for name, text in texts(".py")
        if not name.startswith("tests/") and not re.match(r'(#![^\n]*\n)?("""|r""")', text)
    ]
    assert not silent
