"""The derivation of the gradient, (4.56) to (4.61), as steps that are shown, checked and walked through with numbers.

``STEPS`` holds every row of the table; :func:`verify` proves them; :func:`walk` follows them on one example.
"""

from crossent.derivation.checks import Check, Verification, verify
from crossent.derivation.steps import BIAS, CONSEQUENCES, LINES, STEPS, TOOLS, Step, languages, texts
from crossent.derivation.walking import Example, Walk, walk

__all__ = [
    "BIAS", "CONSEQUENCES", "LINES", "STEPS", "TOOLS", "Check", "Example", "Step", "Verification", "Walk",
    "languages", "texts", "verify", "walk",
]  # fmt: skip
