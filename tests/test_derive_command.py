"""Promise: ``crossent derive`` shows the derivation checked, in the user's own numbers; bad input is told in a line."""

import re
import sys

import numpy as np
import pytest

from crossent.cli import main
from crossent.derivation import LINES, STEPS, texts
from crossent.derivation.examples import of_model
from crossent.model import load

LABELS = ["<script>alert(1)</script>", "bad & {ugly} 100% [bold]x[/]"]  # sorted, so the first is y = 0
ROWS = 60


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model of a text, a number and a category, and the rows it was trained on."""
    from crossent import train

    folder = tmp_path_factory.mktemp("derive")
    rng = np.random.default_rng(0)
    words = np.array(["terrible", "wonderful", "plot", "actor", "longer", "waste", "touching"])
    lines = ["review,age,job,verdict"]
    for _ in range(ROWS):
        chosen = rng.choice(words, 6)
        good = (chosen == "wonderful").sum() + rng.normal() > (chosen == "terrible").sum()
        text, job = " ".join(chosen), rng.choice(["cook", "nurse"])
        lines.append(f'"it is a {text}",{rng.integers(20, 60)},{job},"{LABELS[int(good)]}"')
    data = folder / "rows.csv"
    data.write_text("\n".join(lines) + "\n", "utf-8")
    model = train(str(data), "verdict", text="review")
    model.save(folder / "model.safetensors")
    return str(folder / "model.safetensors"), str(data)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command as a user types it; return exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "200")

    def runner(*arguments):
        monkeypatch.setattr(sys, "argv", ["crossent", "derive", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return end.value.code or 0, out, err

    return runner


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_step_is_printed_checked_with_its_rule(run, lang):
    code, out, _ = run("--lang", lang)
    assert code == 0
    assert out.count("✓") == len(STEPS)
    assert "✗" not in out
    squeezed = " ".join(out.split())
    for step in STEPS:
        assert step.title(lang) in squeezed
        assert " ".join(step.rule(lang).split()) in squeezed
        assert step.condition(lang) in squeezed
    assert "= [σ(w·x + b) − y] xⱼ" in out


@pytest.mark.parametrize("width", [40, 80])
def test_a_long_line_breaks_at_no_argument(run, monkeypatch, width):
    monkeypatch.setattr("crossent.cli.terminal.WIDTH", width)
    _, out, _ = run()
    lines = out.splitlines()
    assert max(map(len, lines)) <= width
    assert not any(re.match(r"\s+(\+ b\)|x \+ b|b\))", line) or line.endswith(("(w·x", "w·x +")) for line in lines)


def test_a_row_in_numbers(run, files):
    model, data = files
    word = crossent_row(data, 6)["review"][0].as_py().split()[-1]
    code, out, err = run(model, data, "--row", 7, "--weight", word, "--label", "1")
    assert code == 0, err
    assert f"“review:{word}”" in out
    lines = re.findall(r"^\(4\.\d\d\).*?\s+(-?[\d.e-]+)$", out, re.M)
    values = {float(value) for value in lines[-len(LINES) :]}
    assert len(lines) >= len(LINES)
    assert max(values) - min(values) <= 1e-12  # every line equal to the next, as printed
    fitted = load(model)
    z = fitted.explain(crossent_row(data, 6)).z
    shown = float(re.search(r"z = w·x \+ b\s+(\S+)", out)[1])
    assert shown == pytest.approx(z, rel=1e-9)
    assert f"the probability of {LABELS[1]}" in out  # no markup of the terminal's either
    before, after = map(float, re.search(r"before (\S+), after (\S+)", out).groups())
    assert after < before


def crossent_row(data, at):
    from crossent.table import read_table

    return read_table(data).slice(at, 1)


def test_the_label_of_a_row_comes_from_the_file(files):
    model, data = files
    fitted = load(model)
    found, truth = set(), set()
    for at in range(10):
        row = crossent_row(data, at)
        found.add((at, of_model(fitted, row)[0].y))
        truth.add((at, float(fitted.classes.index(row["verdict"][0].as_py()))))
    assert found == truth


def test_a_text_in_numbers_in_chinese(run, tmp_path):
    from crossent import train

    rows = {"review": ["a good film", "a bad film", "good", "bad", "so good", "so bad"] * 5, "label": [1, 0] * 15}
    train(rows, "label", text="review").save(tmp_path / "m.safetensors")
    code, out, _ = run(tmp_path / "m.safetensors", "--example", "good, not bad", "--label", 1, "--lang", "zh")
    assert code == 0
    assert texts("zh")["terminal"]["example"] in out
    assert "good, not bad" in out


def test_documents_are_written_whole_and_escape_the_users_text(run, files, tmp_path):
    model, data = files
    html, latex = tmp_path / "page.html", tmp_path / "derivation.tex"
    code, out, err = run(model, data, "--row", 2, "--html", html, "--latex", latex)
    assert (code, out) == (0, "")
    assert "page.html" in err
    page = html.read_text("utf-8")
    assert "<script>alert" not in page
    assert 'y = 0: <span class="user">&lt;script&gt;alert(1)&lt;/script&gt;' in page
    document = latex.read_text("utf-8")
    assert document.count(r"\left") == document.count(r"\right")
    assert document.count("{") == document.count("}")
    assert document.count(r"\[") == document.count(r"\]") == len(STEPS)
    assert r"bad \& \{ugly\} 100\%" in document
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_without_a_model_the_documents_show_a_small_example(run, tmp_path):
    code, _, _ = run("--html", tmp_path / "page.html", "--latex", tmp_path / "d.tex", "--lang", "zh")
    assert code == 0
    assert '<html lang="zh">' in (tmp_path / "page.html").read_text("utf-8")
    assert r"\documentclass{ctexart}" in (tmp_path / "d.tex").read_text("utf-8")


@pytest.mark.parametrize("missing", ["sympy", "mpmath"])
def test_without_sympy_it_says_which_extra_to_install(run, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    code, out, err = run()
    assert code == 2
    assert 'pip install "crossent[derive]"' in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


def test_without_jinja_the_page_says_which_extra_to_install(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    code, _, err = run("--html", tmp_path / "page.html")
    assert code == 2
    assert 'pip install "crossent[report]"' in err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--lang", "fr"], "there are: en, zh"),
        (["--row", "3"], "needs a model"),
        (["--example", ""], "needs a model"),
        (["--weight", "touching"], "needs a model"),
        (["--html", "no/such/folder/page.html"], "no folder"),
        (["MODEL"], "which example"),
        (["MODEL", "DATA", "--row", "1000"], "no row 1,000"),
        (["MODEL", "DATA", "--row", "1", "--weight", "absent"], "no feature 'absent'"),
        (["MODEL", "DATA", "--row", "1", "--label", "absent"], "none of the model's"),
        (["MODEL", "DATA", "--row", "1", "--example", "a text"], "not both"),
        (["MODEL", "--example", "touching"], "class is not given"),
        (["no-such-model", "--example", "x"], "no-such-model"),
        (["MODEL", "ODD", "--row", "1"], "class is not given"),
        (["MODEL", "ODD", "--row", "2"], "'odd' is none of the model's"),
        (["MODEL", "ODD", "--row", "3"], "x of 'age' is"),
        (["MODEL", "ODD", "--row", "4"], "take a row with a smaller z"),
        (["--html", "same.x", "--latex", "./same.x"], "two different files"),
        (["MODEL", "DATA", "--html", "DATA"], "is one of the files to read"),
        (["MODEL", "DATA", "--latex", "MODEL"], "is one of the files to read"),
    ],
)
def test_bad_input_is_told_in_a_line(run, files, tmp_path, monkeypatch, arguments, says):
    odd = tmp_path / "odd.csv"
    rows = ["", "plot,30,cook,", "plot,30,cook,odd", f"plot,1e300,cook,{LABELS[0]}", f"plot,1e9,nurse,{LABELS[0]}"]
    odd.write_text("review,age,job,verdict" + "\n".join(rows) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    names = {"MODEL": files[0], "DATA": files[1], "ODD": str(odd)}
    code, out, err = run(*(names.get(argument, argument) for argument in arguments))
    assert code == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


def test_more_than_two_classes_are_refused(run, tmp_path):
    from crossent import train

    rows = {"text": ["one a", "two b", "three c"] * 10, "label": ["x", "y", "z"] * 10}
    train(rows, "label", text="text").save(tmp_path / "m.safetensors")
    code, _, err = run(tmp_path / "m.safetensors", "--example", "one", "--label", "x")
    assert code == 2
    assert "two classes; the model has 3" in err
