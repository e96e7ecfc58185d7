"""The right C by cross-validation: ``LogisticRegressionCV``, scikit-learn's face on the warm fits of the folds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from crossent.blocks import cores
from crossent.design import as_design
from crossent.equations import cross_entropy, softmax_cross_entropy
from crossent.errors import CrossentError
from crossent.estimators import LogisticRegression
from crossent.fit import fit
from crossent.folds import Grid, Score, choose, cross_validate
from crossent.parameters import check_parameters, method
from crossent.terms import as_terms

Array = NDArray[np.float64]

SMALLEST_C, LARGEST_C = 1e-4, 1e4  # scikit-learn's grid


class _WithOffset(LogisticRegression):
    """A model for a scorer, which knows of no offset: it adds that of the rows to come by itself."""

    def __init__(self, offset: Any, fitted: LogisticRegression | None = None):
        super().__init__()
        self.offset = offset
        if fitted is not None:
            self.__dict__.update({name: value for name, value in vars(fitted).items() if name.endswith("_")})

    def decision_function(self, X: Any, *, offset: ArrayLike | None = None) -> Array:
        return super().decision_function(X, offset=self.offset if offset is None else offset)


class LogisticRegressionCV(LogisticRegression):
    """Logistic regression whose C, and l1_ratio, are chosen by cross-validation.

    Drop-in for scikit-learn's. The defaults are those that scikit-learn has announced for its next versions: log-loss
    decides, and the attributes have one shape for any number of classes.

    Parameters
    ----------
    Cs : int or sequence of floats, default=10
        The grid, or the length of one even on a logarithmic scale from 1e-4 to 1e4. Tried in increasing order.
    l1_ratios : sequence of floats in [0, 1], default=(0.0,)
        0 is L2, 1 is L1.
    fit_intercept : bool, default=True
    cv : int, splitter or iterable, optional
        Stratified folds, five of them by default.
    dual, intercept_scaling, random_state
        Without effect, as in ``LogisticRegression``.
    penalty : {'l1', 'l2', 'elasticnet'}
        Deprecated, as in scikit-learn: use ``l1_ratios``.
    scoring : str, callable or None, default='neg_log_loss'
        Greater is better; None is accuracy. Sample weights enter it, class weights do not.
    solver : str, default='auto'
        As in ``LogisticRegression``.
    tol : float, default=1e-6
        The certified relative gap of every fit.
    max_iter : int, default=100
    class_weight : dict or 'balanced', optional
        'balanced' weighs the classes of all rows, not of each fold.
    n_jobs : int, optional
        Threads; all cores by default.
    penalty_factor, bounds
        As in ``LogisticRegression``.
    verbose : int, default=0
        Positive: print the mean score of every penalty.
    refit : bool, default=True
        Fit all rows with the penalty chosen. Otherwise average the folds' coefficients at each fold's best penalty.
    use_legacy_attributes : bool, default=False
        Give ``C_``, ``l1_ratio_``, ``coefs_paths_``, ``scores_`` and ``n_iter_`` the shapes of scikit-learn before
        1.10.
    selection : {'best', '1se'}, default='best'
        '1se' takes the smallest C whose mean score is within one standard error of the best.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    coef_ : ndarray of shape (1, n_features) or (K, n_features)
    intercept_ : ndarray of shape (1,) or (K,)
    Cs_ : ndarray of shape (n_Cs,)
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
    C_, l1_ratio_ : float
        What was chosen; without ``refit``, the mean over folds.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, 1 or K, n_features + 1)
        The intercept last; without it when none is fitted.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
    gaps_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        Certified relative gaps of the folds' fits.
    certificate_ : Certificate
        Of the final fit; None without ``refit``.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only when X has names that are all strings.
    """

    certificate_: Any
    scores_: Any
    coefs_paths_: Any
    C_: Any
    l1_ratio_: Any

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = (0.0,),
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        penalty: str | None = "deprecated",
        scoring: Any = "neg_log_loss",
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 100,
        class_weight: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: Any = None,
        use_legacy_attributes: bool = False,
        selection: str = "best",
        penalty_factor: ArrayLike | None = None,
        bounds: Any = None,
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
        self.selection = selection
        self.penalty_factor = penalty_factor
        self.bounds = bounds

    # ------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> LogisticRegressionCV:
        """Choose the penalty by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : array, sparse matrix or table of shape (n, n_features)
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
            Weights >= 0, in the fits and in the scores.
        offset : array of shape (n,), or (n, K) for K > 2 classes, optional
            A fixed part of the margins, in the fits and in the scores.
        **params
            For the splitter and the scorer, with scikit-learn's metadata routing switched on.

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            When some fits do not reach the gap that was asked for.
        """
        check_parameters(self)
        Cs, l1_ratios = self._penalties()
        X, codes = self._encoded(X, y)
        K = len(self.classes_)
        if K < 2:
            raise CrossentError(f"y has one class, {self.classes_[0]!r}; give rows of at least two classes")
        weights = self._weights(codes, sample_weight)
        s = np.ones(len(codes)) if weights is None else weights
        split_with, score_with = self._routed(sample_weight, params)
        terms = as_terms(X.shape, K, self.penalty_factor, self.bounds, offset)
        folds = list(check_cv(self.cv, codes, classifier=True).split(X, self.classes_[codes], **split_with))
        grid = cross_validate(
            as_design(X, intercept=self.fit_intercept),
            codes.astype(np.float64 if K == 2 else np.int64),
            s,
            K,
            folds,
            Cs,
            l1_ratios,
            self._score_of(X, codes, folds, score_with, terms.offset),
            tol=self.tol,
            max_iter=self.max_iter,
            solver=method(self.solver, 1.0, l1_ratios.max(), self.bounds is not None),
            threads=cores(self.n_jobs),
            terms=terms,
        )
        self.Cs_, self.l1_ratios_ = Cs, l1_ratios
        self._take(grid, X, codes, s, terms.offset)
        self._say(grid)
        if self.use_legacy_attributes:
            self._make_legacy()
        return self

    def _penalties(self) -> tuple[Array, Array]:
        """Return the grids of C and l1_ratio."""
        Cs = (
            np.geomspace(SMALLEST_C, LARGEST_C, self.Cs)
            if isinstance(self.Cs, int)
            else np.sort(np.array(self.Cs, float))
        )
        if Cs.ndim != 1 or not len(Cs) or not np.all(Cs > 0.0):
            raise CrossentError(f"Cs is {self.Cs!r}; give how many values of C to try, or positive values")
        if self.selection == "1se" and not self.refit:
            raise CrossentError("selection='1se' chooses one penalty for all folds; it needs refit=True")
        ratios: Any = (0.0,) if self.l1_ratios is None else self.l1_ratios
        if self.penalty != "deprecated":
            warnings.warn("'penalty' was deprecated in scikit-learn 1.8; use l1_ratios", FutureWarning, stacklevel=3)
            ratios = ratios if self.penalty == "elasticnet" else (float(self.penalty == "l1"),)
        ratios = np.atleast_1d(np.array(ratios, dtype=np.float64))
        if not len(ratios) or not np.all((ratios >= 0.0) & (ratios <= 1.0)):
            raise CrossentError(f"l1_ratios is {self.l1_ratios!r}; give numbers from 0 to 1")
        return Cs, ratios

    def _score_of(
        self, X: Any, codes: NDArray[np.int64], folds: Any, score_with: dict[str, Any], offset: Array | None
    ) -> Score:
        """Return what scores a fold's fit on the rows held out: from its margins where those say it all."""
        weight = score_with.get("sample_weight")
        weight = None if weight is None else np.broadcast_to(np.asarray(weight, dtype=np.float64), codes.shape)
        if self.scoring in {None, "accuracy", "neg_log_loss"} and set(score_with) <= {"sample_weight"}:

            def from_margins(number: int, z: Array, done: Any) -> float:
                test = folds[number][1]
                z, y = z[test], codes[test]
                if self.scoring == "neg_log_loss":
                    each = -(cross_entropy(z, y) if z.ndim == 1 else softmax_cross_entropy(z, y))
                else:
                    each = ((z > 0.0) if z.ndim == 1 else z.argmax(axis=1)) == y
                return float(np.average(each, weights=None if weight is None else weight[test]))

            return from_margins
        scorer = self._scorer()

        def from_scorer(number: int, z: Array, done: Any) -> float:
            test = folds[number][1]
            model = _WithOffset(None if offset is None else offset[test])
            model.classes_, model.n_features_in_ = self.classes_, self.n_features_in_
            model.coef_, model.intercept_ = done.coef, done.intercept
            given = {
                name: value if value is None else np.asarray(value)[test] if np.ndim(value) else value
                for name, value in score_with.items()
            }
            return float(scorer(model, X[test], self.classes_[codes[test]], **given))

        return from_scorer

    def _take(self, grid: Grid, X: Any, codes: NDArray[np.int64], s: Array, offset: Array | None) -> None:
        """Set the attributes that the grid decides, and the coefficients."""
        self.scores_, self.coefs_paths_, self.n_iter_, self.gaps_ = grid.scores, grid.coefs, grid.n_iter, grid.gaps
        d = self.n_features_in_
        if not self.refit:
            best = [choose(fold[None], "best") for fold in grid.scores]
            mean = np.mean([grid.coefs[number, *where] for number, where in enumerate(best)], axis=0)
            self.l1_ratio_ = float(np.mean([self.l1_ratios_[ratio] for ratio, _ in best]))
            self.C_ = float(np.mean([self.Cs_[C] for _, C in best]))
            self.coef_, self.intercept_ = mean[:, :d], mean[:, d] if self.fit_intercept else np.zeros(len(mean))
            self.certificate_ = None
            return
        ratio, C = choose(grid.scores, self.selection)
        self.C_, self.l1_ratio_ = float(self.Cs_[C]), float(self.l1_ratios_[ratio])
        start = grid.coefs[:, ratio, C].mean(axis=0)
        result = fit(
            X,
            codes,
            n_classes=len(self.classes_),
            C=self.C_,
            l1_ratio=self.l1_ratio_,
            fit_intercept=self.fit_intercept,
            sample_weight=s,
            penalty_factor=self.penalty_factor,
            bounds=self.bounds,
            offset=offset,
            tol=self.tol,
            max_iter=self.max_iter,
            solver=method(self.solver, self.C_, self.l1_ratio_, self.bounds is not None),
            start=(start[:, :d], start[:, d] if self.fit_intercept else np.zeros(len(start))),
            n_jobs=self.n_jobs,
        )
        self.coef_, self.intercept_, self.certificate_ = result.coef, result.intercept, result.certificate

    def _say(self, grid: Grid) -> None:
        if self.verbose:
            for r, ratio in enumerate(self.l1_ratios_):
                for c, C in enumerate(self.Cs_):
                    print(f"C {C:.4g}, l1_ratio {ratio:g}: score {grid.scores[:, r, c].mean():.6g}", flush=True)
        short = int((~grid.converged).sum())
        last = self.certificate_ is not None and not self.certificate_.converged
        if short or last:
            warnings.warn(
                f"{short} of {grid.converged.size} fits of the folds{', and the last one,' if last else ''} did not "
                f"reach the relative gap asked for, {self.tol:.2g}; the largest is {grid.gaps.max():.2g}: "
                "raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _make_legacy(self) -> None:
        """Give the attributes the shapes that scikit-learn had before 1.10."""
        K = len(self.classes_)
        named = self.classes_[1:] if K == 2 else self.classes_
        drop = (slice(None), slice(None), 0) if self.l1_ratios is None else ()
        scores = np.swapaxes(self.scores_, 1, 2)[drop]
        paths = np.moveaxis(self.coefs_paths_, (3, 0, 2, 1), (0, 1, 2, 3))
        self.scores_ = dict.fromkeys(named, scores)
        self.coefs_paths_ = {label: path[drop] for label, path in zip(named, paths, strict=True)}
        self.n_iter_ = np.swapaxes(self.n_iter_, 1, 2)[drop][None]
        self.C_, self.l1_ratio_ = np.full(len(named), self.C_), np.full(len(named), self.l1_ratio_)

    # ------------------------------------------------------------ scoring and routing

    def _scorer(self) -> Any:
        return get_scorer("accuracy" if self.scoring is None else self.scoring)

    def score(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> float:
        """Return the score that ``scoring`` names, of this model on X and y."""
        _, score_with = self._routed(sample_weight, params, "score")
        return float(self._scorer()(self if offset is None else _WithOffset(offset, self), X, y, **score_with))

    def _routed(self, sample_weight: Any, params: dict[str, Any], caller: str = "fit") -> tuple[dict[str, Any], ...]:
        """Return the arguments of the splitter's split and of the scorer."""
        given = params if sample_weight is None else {**params, "sample_weight": sample_weight}
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, caller, **given)
            return (routed["splitter"]["split"] if caller == "fit" else {}), routed["scorer"]["score"]
        if params:
            raise CrossentError(
                f"{', '.join(params)} cannot be passed on; switch on set_config(enable_metadata_routing=True)"
            )
        return {}, given

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what is passed on to the splitter and the scorer."""
        to_scorer = MethodMapping().add(caller="fit", callee="score").add(caller="score", callee="score")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
            .add(scorer=self._scorer(), method_mapping=to_scorer)
        )
