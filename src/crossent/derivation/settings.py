"""What the letters stand for when the steps are checked: symbols, and random numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

from crossent.derivation.algebra import Algebra, Numeric, Symbolic

EXAMPLES, FEATURES, CLASSES = 2, 3, 3  # where a symbolic size will not do


def symbolic(setting: str) -> Algebra:
    """Symbols for one of the settings; for one example, vectors of a symbolic length."""
    import sympy

    b, y, z, x = sympy.symbols("b y z x", real=True)
    if setting == "scalar":
        return Symbolic({"u": sympy.Symbol("u", positive=True), "y": y, "z": z, "b": b})
    if setting == "chain":
        u, v = sympy.Function("u"), sympy.Function("v")
        return Symbolic({"x": x, "v": v(x)}, functions={"u": u, "v": v})
    if setting == "weight":
        # j + rest + 1 entries: any length that has an entry j
        j, rest = sympy.symbols("j d", integer=True, nonnegative=True)
        arrays = {name: sympy.IndexedBase(name, real=True) for name in "wx"}
        return Symbolic({"y": y, "b": b}, arrays, {"j": j}, length=j + rest + 1)
    arrays, indices, sizes = _arrays(setting, lambda name: sympy.Symbol(name, real=True))
    return Symbolic({"b": b}, arrays, indices, sizes, length=FEATURES)


def numeric(setting: str, rng: Any) -> Algebra:
    """Random numbers for one of the settings; margins of both signs, soft and hard labels."""
    import mpmath

    def draw(_: str = "") -> Any:
        return mpmath.mpf(rng.gauss(0.0, 1.5))

    def label() -> Any:
        return mpmath.mpf(rng.choice([0.0, 1.0, rng.random()]))

    if setting == "scalar":
        return Numeric({"u": abs(draw()) + mpmath.mpf("0.01"), "y": label(), "z": 2 * draw(), "b": draw()})
    if setting == "chain":
        x = draw()
        return Numeric({"x": x, "v": mpmath.sin(x)}, functions={"u": lambda t: mpmath.exp(t) + t**3, "v": mpmath.sin})
    if setting == "weight":
        arrays = {name: {(c,): draw() for c in range(FEATURES)} for name in "wx"}
        return Numeric({"y": label(), "b": draw()}, arrays, {"j": rng.randrange(FEATURES)}, length=FEATURES)
    arrays, indices, sizes = _arrays(setting, draw)
    if setting == "rows":
        arrays["y"] = {(i,): label() for i in range(EXAMPLES)}
    return Numeric({"b": draw()}, arrays, indices, sizes, length=FEATURES)


def _arrays(setting: str, new: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]]:
    """Arrays with concrete sizes, filled by ``new(name)``."""

    def array(base: str, *shape: int) -> dict[tuple[int, ...], Any]:
        return {at: new(base + "".join(map(str, at))) for at in product(*map(range, shape))}

    if setting == "rows":
        arrays = {"x": array("x", EXAMPLES, FEATURES), "y": array("y", EXAMPLES)}
        arrays |= {"w": array("w", FEATURES), "v": array("v", FEATURES)}
        return arrays, {"j": 0, "k": 1}, {"i": EXAMPLES, "j": FEATURES, "k": FEATURES}
    if setting == "classes":
        arrays = {"w": array("w", CLASSES, FEATURES), "b": array("b", CLASSES), "x": array("x", FEATURES)}
        labels = array("y", CLASSES - 1)
        labels[CLASSES - 1,] = 1 - sum(labels.values())  # labels are a distribution
        return arrays | {"y": labels}, {"k": 1, "j": 0}, {"l": CLASSES, "q": CLASSES}
    raise KeyError(setting)
