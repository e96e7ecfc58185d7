"""Promise: every row of the derivation is checked, what is shown is what is checked, and each easy slip is caught."""

import sys
import tomllib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crossent
from crossent import derivation
from crossent.derivation import LINES, STEPS, Example, Step, verify, walk
from crossent.errors import CrossentError

BY_KEY = {step.key: step for step in STEPS}


def test_every_step_holds_by_every_witness():
    verification = verify(points=200, digits=50)
    assert verification, "\n".join(map(str, verification.failures))
    for step in STEPS:
        methods = [check.method for check in verification.of(step.key)]
        assert "symbolically" in methods, step.key
        assert any("50 digits" in method for method in methods), step.key
    for step in (*LINES, derivation.BIAS):
        tied = {check.method for check in verification.of(step.key) if check.method.startswith("against")}
        assert len(tied) == 3, step.key


def test_the_lines_are_one_chain_from_the_loss_to_the_gradient():
    assert LINES[0].left == "D(L, w_j)"
    for line, following in pairwise(LINES):
        assert following.left == line.right
    assert str(LINES[-1]).endswith("= [σ(w·x + b) − y] xⱼ")


MUTATIONS = {
    "sign": ("4.61.4", "right", "(sigma(w@x + b) - y)*x_j", "(y - sigma(w@x + b))*x_j"),
    "lost x_j": ("4.61.4", "right", "*x_j", ""),
    "lost x_j earlier": ("4.61.2", "right", "*x_j", ""),
    "wrong denominator": ("4.60", "right", "(1 - y)/(1 - sigma(w@x + b))", "(1 - y)/sigma(w@x + b)"),
    "sigma(1 - z)": ("4.57", "right", "(1 - sigma(z))", "sigma(1 - z)"),
    "sign of the second term": ("between", "right", "- (1 - y)", "+ (1 - y)"),
    "forgotten minus": ("4.61.3", "right", "-(y -", "(y -"),
    "bias times x": ("bias", "right", "sigma(w@x + b) - y", "(sigma(w@x + b) - y)*x_j"),
    "1/5 for 1/4": ("quarter", "right", "1/4", "1/5"),
    "overflowing exponential": ("stable.max", "right", "exp(-abs(z))", "exp(abs(z))"),
    "softmax sign": ("softmax", "right", "(p_k - y_k)", "(y_k - p_k)"),
    "Hessian without 1 - sigma": ("hessian", "right", "*(1 - sigma(w@x_i + b))", ""),
    "conjugate sign": ("conjugate", "right", "+ (1 - sigma(z))", "- (1 - sigma(z))"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_slip_fails_both_mathematical_witnesses(name):
    key, side, said, slip = MUTATIONS[name]
    step = BY_KEY[key]
    mutated = replace(step, **{side: getattr(step, side).replace(said, slip)})
    assert mutated != step
    verification = verify(points=20, steps=[mutated])
    assert not verification
    failed = {check.method for check in verification.failures}
    assert "symbolically" in failed
    assert any("digits" in method for method in failed)


@pytest.mark.parametrize("slip", ["sign", "lost x_j"])
def test_a_slip_in_the_last_line_disagrees_with_the_product(slip):
    key, _, said, mutation = MUTATIONS[slip]
    step = BY_KEY[key]
    verification = verify(points=20, steps=[replace(step, right=step.right.replace(said, mutation))])
    failed = {check.method for check in verification.failures}
    assert {"against the compiled gradient", "against a five-point stencil"} <= failed


@pytest.mark.parametrize("key", [line.key for line in LINES])
def test_an_equality_between_two_wrong_lines_disagrees_with_the_product(key):
    step = BY_KEY[key]
    wrong = replace(step, left=f"2*({step.left})", right=f"2*({step.right})")
    verification = verify(points=3, steps=[wrong])
    assert {check.method.partition(" ")[0] for check in verification.failures} == {"against"}
    assert len(verification.failures) == 3


def test_nothing_is_proved_by_no_points_or_no_steps():
    assert not verify(steps=[])
    for nothing in ({"points": 0}, {"digits": 0}):
        with pytest.raises(CrossentError, match="at least 1"):
            verify(steps=LINES[:1], **nothing)


def test_a_name_that_means_nothing_is_told():
    with pytest.raises(ValueError, match="nothing is called 'q' here"):
        verify(steps=[replace(LINES[-1], right="(sigma(q) - y)*x_j")])


def test_the_steps_are_sympy_expressions_with_a_symbolic_length():
    import sympy

    left, right = BY_KEY["4.61.4"].sympy()
    assert right.has(sympy.Sum)
    assert sympy.simplify(left - right) == 0


def test_every_step_can_be_shown_in_every_style():
    from xml.etree import ElementTree

    for step in STEPS:
        assert str(step)
        assert step.latex().count("{") == step.latex().count("}")
        ElementTree.fromstring(step.mathml())


def test_a_display_keeps_the_order_and_the_brackets_of_the_book():
    assert str(BY_KEY["4.57"]) == "dσ/dz = σ(z) [1 − σ(z)]"
    assert str(BY_KEY["4.58"]) == "d/dx u(v(x)) = du/dv dv/dx"
    assert str(BY_KEY["4.59"]).startswith("∂L/∂wⱼ = ∂/∂wⱼ (−[y log")  # not a difference
    assert str(BY_KEY["4.60"]).endswith("− ((1 − y) / [1 − σ(w·x + b)]) ∂/∂wⱼ [1 − σ(w·x + b)]")
    assert str(BY_KEY["4.61.4"]) == "−[y − σ(w·x + b)] xⱼ = [σ(w·x + b) − y] xⱼ"
    assert BY_KEY["quarter"].latex().endswith(r"\le \frac{1}{4}")


def keys(table, prefix=""):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}/")
        elif name != "condition" or value:
            yield prefix + name


def test_every_language_has_the_same_texts():
    from importlib.resources import files

    assert {"en", "zh"} <= set(derivation.languages())
    folder = files("crossent.derivation") / "texts"
    found = {
        lang: set(keys(tomllib.loads((folder / f"{lang}.toml").read_text("utf-8")))) for lang in derivation.languages()
    }
    assert all(texts == found["en"] for texts in found.values())
    for lang in derivation.languages():
        for step in STEPS:
            assert step.title(lang)
            assert step.rule(lang)


def test_an_unknown_language_is_said_in_one_line():
    with pytest.raises(CrossentError, match="no texts in language 'xx'; there are: en, zh"):
        derivation.texts("xx")


numbers = st.floats(-30, 30).map(lambda v: round(v, 3))


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), numbers, st.sampled_from([0.0, 1.0, 0.3]))
@settings(max_examples=30, deadline=None)
def test_a_walk_has_equal_lines_that_agree_with_the_compiled_gradient(pairs, b, y):
    x, w = (np.array(column) for column in zip(*pairs, strict=True))
    followed = walk(Example([f"f{i}" for i in range(len(x))], x, w, b, y))
    assert followed.spread <= 1e-45 * (1 + abs(followed.lines[-1][1]))
    compiled = followed.gradient[followed.weight]
    scale = np.spacing(np.abs(w * x).sum() + abs(b)) * 8  # z itself is rounded
    assert compiled == pytest.approx(followed.lines[-1][1], rel=1e-12, abs=1e-300 + scale * abs(x[followed.weight]))
    before = crossent.cross_entropy(followed.z, y)
    assert followed.loss == before
    assert followed.loss_after <= before + 1e-9  # the proven rate never raises the loss


def test_a_walk_where_sigma_is_one_in_double_precision():
    followed = walk(Example(["a"], np.array([1.0]), np.array([800.0]), 0.0, 0.0))
    assert {value for _, value in followed.lines} == {1.0}
    assert followed.loss == 800.0


def test_a_weight_is_found_by_its_word_or_refused_with_the_words_there_are():
    example = Example(["text:good", "text:bad"], np.ones(2), np.array([1.0, -3.0]), 0.0, 1.0)
    assert walk(example).weight == 1
    assert walk(example, "good").weight == walk(example, "text:good").weight == 0
    with pytest.raises(CrossentError, match="no feature 'ugly' in this example; it has 'text:bad', 'text:good'"):
        walk(example, "ugly")
    with pytest.raises(CrossentError, match="no feature that the model knows"):
        walk(Example([], np.zeros(0), np.zeros(0), 0.0, 1.0))


def test_a_word_that_two_columns_have_must_be_named_in_full():
    example = Example(["title:bad", "text:bad", "bad", "text:so"], np.ones(4), np.arange(4.0), 0.0, 1.0)
    assert example.names[walk(example, "bad").weight] == "bad"  # the very name comes first
    example = replace(example, names=["title:bad", "text:bad", "text:good", "text:so"])
    with pytest.raises(CrossentError, match="'bad' is 'title:bad' and 'text:bad'"):
        walk(example, "bad")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": [1.0]}, "2 names, x of shape \\(1,\\)"),
        ({"w": [[1.0], [2.0]]}, "w of shape"),
        ({"x": [1.0, np.nan]}, "x of 'b' is nan"),
        ({"w": [np.inf, 1.0]}, "w of 'a' is inf"),
        ({"x": [1.0, 1e200]}, "x of 'b' is 1e\\+200"),
        ({"b": np.nan}, "b is nan"),
        ({"y": 2.0}, "y is 2.0"),
        ({"y": np.nan}, "y is nan"),
    ],
)
def test_an_example_that_is_none_is_told_in_one_line(change, says):
    given = {"names": ["a", "b"], "x": [1.0, 2.0], "w": [0.5, -1.0], "b": 0.0, "y": 1.0}
    assert walk(Example(**given)).z == -1.5  # lists will do
    with pytest.raises(CrossentError, match=says):
        Example(**given | change)


def test_without_mpmath_or_sympy_the_extra_is_named(monkeypatch):
    example = Example(["a"], [1.0], [1.0], 0.0, 1.0)
    monkeypatch.setitem(sys.modules, "sympy", None)
    monkeypatch.setitem(sys.modules, "mpmath", None)
    for needs in (verify, LINES[0].sympy, lambda: walk(example)):
        with pytest.raises(CrossentError, match=r"crossent\[derive\]"):
            needs()


def test_a_margin_that_takes_too_many_digits_is_told():
    with pytest.raises(CrossentError, match=r"z is 1e\+06: .* take a row with a smaller z"):
        walk(Example(["a"], np.array([1e6]), np.array([1.0]), 0.0, 1.0))
    for rate in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(CrossentError, match="rate is"):
            walk(Example(["a"], np.array([1.0]), np.array([1.0]), 0.0, 1.0), rate=rate)


def test_a_formula_outside_the_notation_is_refused():
    with pytest.raises(ValueError, match="not part of the notation"):
        str(Step("4.57", "[1]", "z", "eq_4_57"))
