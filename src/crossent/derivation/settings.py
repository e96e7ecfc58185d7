"""What the letters stand for when the steps are checked: symbols, and random numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

from crossent.derivation.algebra import Algebra, Numeric, Symbolic

FEATURES = 3  # of the random examples
# Where a symbolic size will not do: (examples, features) of all rows, (classes, features) of K classes.
SIZES = {"rows": ((1, 2), (2, 3)), "classes": ((2, 1), (3, 2))}


def symbolic(setting: str) -> list[Algebra]:
    """Symbols for one of the settings: for one example vectors of a symbolic length, else one algebra a size."""
    import sympy

    b, y, z, x = sympy.symbols("b y z x", real=True)
    if setting == "scalar":
        return [Symbolic({"u": sympy.Symbol("u", positive=True), "y": y, "z": z, "b": b})]
    if setting == "chain":
        u, v = sympy.Function("u"), sympy.Function("v")
        return [Symbolic({"x": x, "v": v(x)}, functions={"u": u, "v": v})]
    if setting == "weight":
        # j + rest + 1 entries: any length that has an entry j
        j, rest = sympy.symbols("j d", integer=True, nonnegative=True)
        arrays = {name: sympy.IndexedBase(name, real=True) for name in "wx"}
        return [Symbolic({"y": y, "b": b}, arrays, {"j": j}, length=j + rest + 1)]

    def sized(count: int, features: int) -> Algebra:
        arrays, indices, sizes = _arrays(setting, lambda name: sympy.Symbol(name, real=True), count, features)
        return Symbolic({"b": b}, arrays, indices, sizes, length=features)

    return [sized(*size) for size in SIZES[setting]]


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
    count, features = rng.choice(SIZES[setting])
    arrays, indices, sizes = _arrays(setting, draw, count, features)
    if setting == "rows":
        arrays["y"] = {(i,): label() for i in range(count)}
    return Numeric({"b": draw()}, arrays, indices, sizes, length=features)


def _arrays(setting: str, new: Any, count: int, features: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]]:
    """Arrays with concrete sizes, filled by ``new(name)``; what the free indices are; what the sums run over."""

    def array(base: str, *shape: int) -> dict[tuple[int, ...], Any]:
        return {at: new(base + "".join(map(str, at))) for at in product(*map(range, shape))}

    if setting == "rows":
        arrays = {"x": array("x", count, features), "y": array("y", count)}
        arrays |= {"w": array("w", features), "v": array("v", features)}
        return arrays, {"j": 0, "k": 1}, {"i": count, "j": features, "k": features}
    arrays = {"w": array("w", count, features), "b": array("b", count), "x": array("x", features)}
    labels = array("y", count - 1)
    labels[count - 1,] = 1 - sum(labels.values())  # labels are a distribution
    return arrays | {"y": labels}, {"k": 1, "j": 0}, {"l": count, "q": count}
