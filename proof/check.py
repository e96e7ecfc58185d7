"""Check the proof: compile it, refuse holes, and compare what it assumes with the standard library's four axioms.

Run by ``make proof``; needs Coq 8.16 and Coquelicot 3.2 (Debian: ``apt-get install coq libcoq-coquelicot``).
``python check.py --mutations`` shows that the proof can fail: each of the mutated statements below must turn it red.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = ["Vectors", "Gradient", "Loss", "Mean", "Softmax"]  # in the order in which they build on each other

# The classical real numbers of Coq's standard library rest on these; Coquelicot adds none.
ALLOWED_AXIOMS = {
    "ClassicalDedekindReals.sig_not_dec",
    "ClassicalDedekindReals.sig_forall_dec",
    "FunctionalExtensionality.functional_extensionality_dep",
    "Classical_Prop.classic",
}
HOLES = re.compile(r"\b(Admitted|admit|give_up|Axioms?|Parameters?|Conjecture|Unset|bypass_check)\b")
STATEMENT = re.compile(r"^\s*(?:Theorem|Corollary|Lemma)\s+(\w+)", re.M)

# (module, theorem that must fail, what the statement says, what it must not be able to say)
MUTATIONS = [
    ("Gradient", "eq_4_56", "is_derive ln x (1 / x)", "is_derive ln x (- 1 / x)"),
    ("Gradient", "eq_4_57", "is_derive sigma z (sigma z * (1 - sigma z))", "is_derive sigma z (sigma z * sigma z)"),
    ("Gradient", "eq_4_58", "x)) x (du * dv)", "x)) x (du + dv)"),
    ("Gradient", "eq_4_59", "is_derive L t (- (d1 + d2))", "is_derive L t (- (d1 - d2))"),
    ("Gradient", "eq_4_60", "(- (y / s) * dp - (1 - y) / (1 - s) * dq)", "(- (y / s) * dp - (1 - y) / s * dq)"),
    ("Gradient", "eq_between", "(- (y / s - (1 - y) / (1 - s)) * dp)", "(- (y / s + (1 - y) / (1 - s)) * dp)"),
    ("Gradient", "eq_4_61_line2", "(s * (1 - s)) * x j)", "(s * (1 - s)))"),
    ("Gradient", "eq_4_61_line4", "((s - y) * x j)", "((y - s) * x j)"),
    ("Loss", "curvature_bounds", "sigma z * (1 - sigma z) <= 1 / 4", "sigma z * (1 - sigma z) <= 1 / 5"),
    ("Loss", "conjugate_bound", "z * r <= ell y z + conjugate y r", "ell y z + conjugate y r <= z * r"),
    ("Mean", "descent_step", "rate * mean_square <= 4", "rate * mean_square <= 16"),
    ("Softmax", "softmax_residual", "(softmax z k - y k)", "(y k - softmax z k)"),
]


class ProofError(Exception):
    """The proof does not check; the message is Coq's or names the hole."""


def coqc(folder: Path, module: str) -> str:
    """Compile one file and return what it printed."""
    command = ["coqc", "-q", "-Q", ".", "Crossent", f"{module}.v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProofError(done.stderr.strip())
    return done.stdout


def without_comments(text: str) -> str:
    """The text with comments blanked, nested ones too, so that prose may speak of axioms."""
    out, depth = [], 0
    for token in re.split(r"(\(\*|\*\))", text):
        depth += (token == "(*") - (token == "*)")
        out.append(token if depth == 0 and token != "*)" else re.sub(r"[^\n]", " ", token))
    return "".join(out)


def refuse_holes(module: str, text: str) -> None:
    """Refuse a proof left open and a statement assumed; the assumptions printed at the end would show them too."""
    text = without_comments(text)
    if hole := HOLES.search(text):
        raise ProofError(f"{module}.v, line {text.count(chr(10), 0, hole.start()) + 1}: refused word {hole[0]!r}")


def theorems(module: str) -> list[str]:
    return STATEMENT.findall(without_comments((HERE / f"{module}.v").read_text("utf-8")))


def assumed(printed: str) -> set[str]:
    """The names in what ``Print Assumptions`` printed; each begins a line, and may end in a prime."""
    return set(re.findall(r"^([^\s:]+)\s*:", printed, re.M)) - {"Axioms"}


def check(folder: Path) -> int:
    """Compile every file and print its assumptions; the number of statements proved."""
    for module in MODULES:
        refuse_holes(module, (HERE / f"{module}.v").read_text("utf-8"))
        shutil.copy(HERE / f"{module}.v", folder)
        coqc(folder, module)
    names = [f"{module}.{name}" for module in MODULES for name in theorems(module)]
    lines = [
        f"From Crossent Require {' '.join(MODULES)}.",
        f"Definition everything := ({', '.join(names)}).",
        "Print Assumptions everything.",
    ]
    (folder / "Assumptions.v").write_text("\n".join(lines) + "\n", "utf-8")
    found = assumed(coqc(folder, "Assumptions"))
    if found - ALLOWED_AXIOMS:
        raise ProofError(f"assumes more than the standard library's reals: {sorted(found - ALLOWED_AXIOMS)}")
    print("Assumptions, all of the standard library:", *sorted(found), sep="\n  ")
    return len(names)


def mutate(folder: Path) -> int:
    """Each mutated statement must fail in its own proof; the number of mutations that did not."""
    survivors = 0
    for module, name, said, mutated in MUTATIONS:
        text = (HERE / f"{module}.v").read_text("utf-8")
        start = text.index(f"Theorem {name}")
        stop = text.index("Proof.", start)
        statement = text[start:stop]
        if statement.count(said) != 1:
            raise ProofError(f"{module}.v: {name} no longer says {said!r}; correct MUTATIONS")
        (folder / f"{module}.v").write_text(text[:start] + statement.replace(said, mutated) + text[stop:], "utf-8")
        first, last = text.count("\n", 0, start) + 1, text.count("\n", 0, text.index("Qed.", stop)) + 1
        verdict = "SURVIVED"
        try:
            coqc(folder, module)
        except ProofError as error:
            line = int(re.findall(r"line (\d+)", str(error))[-1])
            # Red for the right reason: the proof of this very statement fails, not the parser elsewhere.
            right = first <= line <= last and "Syntax error" not in str(error)
            verdict = "red" if right else f"red elsewhere (line {line})"
        survivors += verdict != "red"
        print(f"  {verdict:9} {name}: {mutated}")
        shutil.copy(HERE / f"{module}.v", folder)
    return survivors


def main() -> int:
    if shutil.which("coqc") is None:
        print("coqc not found: apt-get install coq libcoq-coquelicot", file=sys.stderr)
        return 2
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        try:
            count = check(Path(name))
            print(f"{count} statements proved in {time.perf_counter() - start:.1f} s")
            if "--mutations" in sys.argv[1:]:
                survivors = mutate(Path(name))
                print(f"{len(MUTATIONS) - survivors} of {len(MUTATIONS)} mutated statements refused")
                return int(survivors > 0)
        except ProofError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
