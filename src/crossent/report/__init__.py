"""Documents that a person can open, keep and send: one file each, which asks nothing of the network."""

from crossent.report.latex import derivation_latex
from crossent.report.page import Rows, derivation_page

__all__ = ["Rows", "derivation_latex", "derivation_page"]
