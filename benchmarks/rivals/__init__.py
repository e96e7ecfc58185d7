"""One small adapter a library. ``LIBRARIES`` says in which environment each lives."""

#: module -> environment (None: the one that runs the benchmarks). Ours first, then the fast ones: a late one is
#: stopped when it is hopelessly behind the best rival so far.
LIBRARIES: dict[str, str | None] = {
    "ours": None,
    "plain": None,
    "liblinear": None,
    "snap": None,
    "skglm": None,
    "celer": None,
    "scikit": None,
    "glum": None,
    "statsmodels": None,
    "glmnet": None,
    "adelie": "adelie",
    "vowpal": None,
    "fasttext": "fasttext",
}
