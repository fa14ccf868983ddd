"""What a call of a library's metric is kept as, for the runners of all of them."""

import numpy as np

K = 10
SHIFT = 0.985  # scores less SHIFT: all but the best few of a user fall to zero or below


def result(metric, variant, call, per_user=None, value=None, arithmetic="float64"):
    """One result. ``value`` is the library's own aggregate, or else the mean of ``per_user``."""
    if per_user is not None:
        per_user = np.asarray(per_user, dtype=float)
    return {
        "metric": metric,
        "variant": variant,
        "call": call,
        "value": float(per_user.mean() if value is None else value),
        "per_user": None if per_user is None else per_user.tolist(),
        "arithmetic": arithmetic,
    }


def ranked_items(data):
    """All items of each user, best first: (n_users, n_items)."""
    return np.argsort(-data.scores, axis=1)
