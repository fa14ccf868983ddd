"""Planted faults in the recommenders without a network."""

from mutants import Mutant

CONTRACT = "tests/contract/test_every_baseline.py"
FAILED = "tests/baselines/test_failed_fit.py"
COUNTS = ["tests/baselines/test_baselines.py", CONTRACT, FAILED]
BASKETS = ["tests/baselines/test_tifu_knn.py", CONTRACT, FAILED]
STEPS = ["tests/baselines/test_transitions.py", CONTRACT, FAILED]

TESTS = {
    "baselines/als.py": COUNTS,
    "baselines/blend.py": ["tests/baselines/test_blend.py", CONTRACT, FAILED],
    "baselines/bm25.py": ["tests/baselines/test_bm25.py"],
    "baselines/content.py": ["tests/baselines/test_content.py", CONTRACT, FAILED],
    "baselines/ease.py": COUNTS,
    "baselines/fitting.py": [*COUNTS, *BASKETS],
    "baselines/frequency.py": COUNTS,
    "baselines/neighbours.py": COUNTS,
    "baselines/popularity.py": COUNTS,
    "baselines/tifu_knn.py": BASKETS,
    "baselines/transitions.py": STEPS,
    "baselines/up_cf.py": BASKETS,
}


def change(name, file, old, new):
    return Mutant("models", name, f"baselines/{file}", old, new)


MUTANTS = [
    change("popularity counts values, not rows", "popularity.py",
           "counts = interactions.item_counts()", "counts = np.bincount(interactions.items, interactions.values, interactions.n_items)"),
    change("popularity takes any history", "popularity.py", "        histories(self, users, history)\n", ""),

    change("frequency: the newest event weighs least", "frequency.py",
           "since = last[past.users] - past.times", "since = past.times - past.times.min()"),
    change("frequency: decay from the log's last day", "frequency.py",
           "since = last[past.users] - past.times", "since = self.interactions.times.max() - past.times"),
    change("frequency: popularity is not scaled", "frequency.py",
           "popularity = counts / max(counts.max(), 1)", "popularity = counts / 1"),
    change("frequency: skipped rows count", "frequency.py", "        require_log(interactions)\n", ""),

    change("EASE: an item explains itself", "ease.py", "        np.fill_diagonal(weights, 0.0)\n", ""),
    change("EASE: rows divided, not columns", "ease.py", "weights /= -diagonal\n", "weights /= -diagonal[:, None]\n"),
    change("EASE: no ridge", "ease.py", "gram[np.diag_indices_from(gram)] += self.l2", "gram[np.diag_indices_from(gram)] += 1e-3"),
    change("EASE: a history without recency", "ease.py", "history), self.recency)", "history))"),
    change("EASE: new histories with old weights", "ease.py",
           "        require_log(interactions)\n", "        require_log(interactions)\n        self.interactions = interactions\n"),
    change("EASE: half of the inverse", "ease.py", "return lower + below.T", "return lower"),

    change("ALS: unseen pairs do not count", "als.py", "everything = other.T @ other + ridge", "everything = ridge"),
    change("ALS: a seen pair weighs alpha alone", "als.py", "target = (1 + self.alpha) * mine", "target = self.alpha * mine"),
    change("ALS: the ridge is forgotten", "als.py", "other.T @ other + ridge", "other.T @ other + 0.1 * ridge"),
    change("ALS: one iteration, always", "als.py", "for _ in range(self.iterations):", "for _ in range(1):"),
    change("ALS: the seed is not read", "als.py", "np.random.default_rng(self.seed)", "np.random.default_rng()"),

    change("item-kNN: neighbours of the wrong side", "neighbours.py", "sparse.vstack(kept).T.tocsr()", "sparse.vstack(kept).tocsr()"),
    change("item-kNN: an item is its own neighbour", "neighbours.py", "other = itself[row] != column", "other = itself[row] != column + 10**9"),
    change("kNN: the smallest similarities are kept", "neighbours.py", "np.argsort(-values", "np.argsort(values"),

    change("TIFU-KNN: the oldest run weighs most", "tifu_knn.py", "run_age = n_runs - 1 - run", "run_age = run"),
    change("TIFU-KNN: the longer runs come first", "tifu_knn.py",
           "n_short = n_runs - n % n_runs", "n_short = np.where(n % n_runs, n % n_runs, n_runs)"),
    change("TIFU-KNN: the farthest customers", "tifu_knn.py", "np.argsort(distance, axis=1", "np.argsort(-distance, axis=1"),
    change("TIFU-KNN: own and neighbours exchanged", "tifu_knn.py",
           "share = (1 - self.alpha) * near", "share = self.alpha * near"),
    change("TIFU-KNN: a customer is a neighbour of their own", "tifu_knn.py", "distance[named, left_out] = np.inf", "pass"),
    change("TIFU-KNN: twice on a bill counts twice", "tifu_knn.py",
           "rows = once_a_basket(interactions, place)", "rows = np.arange(len(interactions))"),

    change("UP-CF: the oldest baskets count", "up_cf.py", "rows = distinct[age[distinct] < recency]", "rows = distinct[age[distinct] >= recency]"),
    change("UP-CF: the asymmetry exchanged", "up_cf.py",
           "power_v = n_fitted[column] ** (1 - self.asymmetry)", "power_v = n_fitted[column] ** self.asymmetry"),
    change("UP-CF: locality forgotten", "up_cf.py", "cosine[other] ** self.locality", "cosine[other]"),
    change("UP-CF: the own share twice", "up_cf.py", "other = itself[row] != column", "other = itself[row] != column + 10**9"),
    change("UP-CF: shares of all baskets there were", "up_cf.py", "np.minimum(n_baskets, recency)", "np.maximum(n_baskets, 1)"),

    change("transitions: what comes before", "transitions.py",
           "(counted, (first, second))", "(counted, (second, first))"),
    change("transitions: from one user to the next", "transitions.py",
           "same_user = users[earlier] == users[later]", "same_user = users[earlier] >= 0"),
    change("Markov: the oldest item of the history", "transitions.py", "newest = past.ages() == 0", "newest = past.ages() == past.ages().max()"),
    change("Markov: smoothing by nothing", "transitions.py",
           "smoothed = followers + self.smoothing * self.popularity", "smoothed = followers + self.smoothing"),
    change("counter: the logarithm is dropped", "transitions.py",
           "np.log1p(counts * interactions.n_items / self.tau)", "counts * interactions.n_items / self.tau"),
    change("counter: a kernel that does not sum to one", "transitions.py", "return weights / total[users]", "return weights"),
    change("counter: rare for popular", "transitions.py",
           "np.where(lengths > 0, self.popularity_weight, 1.0)", "np.where(lengths > 0, -self.popularity_weight, 1.0)"),
    change("counter: the head and the rest exchanged", "transitions.py", "in_head = ages < self.head", "in_head = ages >= self.head"),

    change("blend: scores on scales of their own", "blend.py", "standardised(model.score(users, history))", "model.score(users, history)"),
    change("blend: all weights alike", "blend.py", "            weight * part for weight", "            part for weight"),
    change("blend: one scale for all users", "blend.py", "centred.std(axis=1, keepdims=True)", "centred.std(keepdims=True)"),
    change("blend: the models at hand are fitted", "blend.py", "copy.copy(model).fit(interactions)", "model.fit(interactions)"),

    change("content: an article is evidence for itself", "content.py", "mask = other & self.told[past]", "mask = self.told[past] & (past >= 0)[None]"),
    change("content: what was skipped speaks for it", "content.py", "return for_it - against", "return for_it + against"),
    change("content: sharpness forgotten", "content.py", "softmax(sharpness * similarities", "softmax(similarities"),
    change("content: lengths of vectors count", "content.py",
           "vectors / np.where(length > 0, length, 1)", "vectors / np.where(length > 0, 1, 1)"),
    change("content: articles without text are read", "content.py", "mask = other & self.told[past]", "mask = other"),
    change("content: histories of others", "content.py", "own = past.users == row", "own = past.users == len(users) - 1 - row"),

    change("BM25: length does not matter", "bm25.py", "relative = b * lengths / mean_length", "relative = b + 0 * lengths"),
    change("BM25: repetition is not slowed", "bm25.py", "scores[held] += gain / (f + slowness)", "scores[held] += gain / (1 + slowness)"),
    change("BM25: idf of all words alike", "bm25.py", "np.log1p((total - n + 0.5) / (n + 0.5))", "np.log1p(total)"),
    change("BM25: n counts occurrences", "bm25.py", "holding.update(count.keys())", "holding.update(count)"),
    change("BM25: no length of the mean", "bm25.py", "max(lengths.mean(), 1e-12)", "max(lengths.max(), 1e-12)"),

    change("nobody is themselves", "fitting.py", "np.where(is_fitted, users, -1)", "np.where(is_fitted, -1, -1)"),
    change("an empty catalogue is fitted", "fitting.py", "if not interactions.n_items:", "if False:"),
]  # fmt: skip
