"""Promise: every statement of the proof that the package cites exists, and every step of the derivation cites one.

A docstring cites as ``Proved: `name`, `other` ``; the names are those of the theorems in ``proof/``.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crossent.derivation import STEPS

ROOT = Path(__file__).resolve().parents[1]
CITATION = re.compile(r"Proved: ((?:`\w+`(?:,\s+(?:from\s+)?)?)+)")


def load_check():
    spec = importlib.util.spec_from_file_location("check", ROOT / "proof" / "check.py")
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    return check


CHECK = load_check()


def proved():
    return {name for module in CHECK.MODULES for name in CHECK.theorems(module)}


def test_every_file_of_the_proof_is_checked():
    assert {file.stem for file in (ROOT / "proof").glob("*.v")} == set(CHECK.MODULES)


def cited():
    for file in sorted((ROOT / "src").rglob("*.py")):
        for citation in CITATION.findall(file.read_text("utf-8")):
            for name in re.findall(r"`(\w+)`", citation):
                yield name, file.relative_to(ROOT)


def test_every_cited_statement_is_proved():
    citations = list(cited())
    assert citations
    unknown = [f"{file}: {name}" for name, file in citations if name not in proved()]
    assert not unknown


def test_every_step_of_the_derivation_is_proved():
    assert {step.lemma for step in STEPS} <= proved()


def test_the_formulas_cite_what_justifies_them():
    names = {name for name, file in cited() if file.name in {"equations.py", "objective.py", "descent.py"}}
    assert {"eq_4_57", "loss_stable_max", "conjugate_bound", "softmax_residual", "descent_step_with_bias"} <= names


def test_every_statement_named_in_the_documentation_is_proved():
    _, _, section = (ROOT / "docs" / "derivation.md").read_text("utf-8").partition("## The proof")
    named = set(re.findall(r"`(\w+)`", section))
    assert len(named) > 20
    assert named <= proved()


@pytest.mark.parametrize(
    "hole", ["Admitted.", "Axiom a : 0 = 1.", "admit.", "Parameter p : R.", "Unset Guard Checking."]
)
def test_a_hole_is_refused_but_not_in_a_comment(hole):
    CHECK.refuse_holes("M", f"Lemma a : 0 = 0. (* no {hole} (* nested *) {hole} *) Proof. reflexivity. Qed.")
    with pytest.raises(CHECK.ProofError, match="line 2"):
        CHECK.refuse_holes("M", f"Lemma a : 0 = 0.\n{hole} (* that was it *)")


def test_an_assumption_is_found_whatever_its_name():
    printed = "Axioms:\ncheat' : 0 = 1\nlong.name\n  : forall x : R, x = 0\n"
    assert CHECK.assumed(printed) == {"cheat'", "long.name"}
    assert CHECK.assumed("Closed under the global context\n") == set()


@pytest.mark.skipif(shutil.which("coqc") is None, reason="Coq is not installed; `make proof` needs it")
def test_the_proof_is_accepted():
    done = subprocess.run(
        [sys.executable, ROOT / "proof" / "check.py"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "statements proved" in done.stdout
