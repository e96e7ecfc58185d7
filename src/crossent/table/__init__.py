"""Tables: any file or table of rows -> typed columns -> the design matrix X.

>>> table = read_table("reviews.csv")                      # any file or table -> Arrow
>>> schema = Schema.guess(table, target="label")           # what each column is for
>>> table = with_target(table, "label")                    # rows whose target is there
>>> classes = classes_of(table, "label"); y = codes_of(table, "label", classes)
>>> encoder, X = Encoder.fit_transform(table, schema)      # y: 0..K-1, X: dense or CSR
"""

from crossent.table.encode import Encoder
from crossent.table.read import read, read_table
from crossent.table.schema import Column, Schema
from crossent.table.target import classes_of, codes_of, with_target

__all__ = ["Column", "Encoder", "Schema", "classes_of", "codes_of", "read", "read_table", "with_target"]
