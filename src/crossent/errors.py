"""What Crossent says when it is asked something it cannot do, or reads something the user should know about."""


class CrossentError(ValueError):
    """Bad input, told in one line: what was got, where, and what to do next. The command exits with code 2."""


class DataWarning(UserWarning):
    """Something in the data that the user should know: a file in Latin-1, rows left out, values taken as missing."""
