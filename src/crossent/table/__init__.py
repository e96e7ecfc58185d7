"""Tables: any file or table of rows -> typed columns -> the design matrix X.

In order::

    table = read_table("reviews.csv")                # any file or table -> Arrow
    schema = Schema.guess(table, target="label")     # what each column is for; schema.describe() prints it
    table = with_target(table, "label")              # the rows whose target is there
    classes = classes_of(table, "label")             # the user's values, sorted
    y = codes_of(table, "label", classes)            # 0..K-1
    encoder, X = Encoder.fit_transform(table, schema)  # X: dense or CSR, float64

or, with the words counted while the table is read, and a matrix for the rows held out as well::

    table, words = read_ahead("reviews.csv", target="label")
    encoder, X, X_held_out = Encoder.fit_apart(table, schema, held_out, rows, words)

and for new rows, in pieces if need be: ``encoder.transform(batch) for batch in read(source)``.
"""

from crossent.table.ahead import read_ahead
from crossent.table.encode import Encoder, Highlight
from crossent.table.read import read, read_table
from crossent.table.schema import Column, Schema
from crossent.table.target import classes_of, codes_of, rows_with_target, with_target

__all__ = [
    "Column",
    "Encoder",
    "Highlight",
    "Schema",
    "classes_of",
    "codes_of",
    "read",
    "read_ahead",
    "read_table",
    "rows_with_target",
    "with_target",
]
