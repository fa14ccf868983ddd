"""Several models beside one: its lead over each, paired over users."""

from collections.abc import Mapping

import pandas as pd

from recsys.evaluation.compare import Interval, paired_test
from recsys.evaluation.full_ranking import Evaluation
from recsys.evaluation.verdicts import holm


def leads(
    results: Mapping[str, Evaluation], reference: str, metric: str
) -> pd.DataFrame:
    """How much better one model is than each of the others, over the same users.

    The interval is of one comparison. The p-values are of the whole table, by Holm.

    Args:
        results: of models that were evaluated on one split.
        reference: the name of the one that is compared with all others.
        metric: as `evaluate` names it.

    Returns:
        One row for each other model: the mean of `reference` minus it with its 95%
        interval, as text, and the adjusted p-value.

    Raises:
        ValueError: other users, or fewer than two.
    """
    others = [name for name in results if name != reference]
    tests = [
        paired_test(results[reference][metric], results[name][metric])
        for name in others
    ]
    p_values = holm([test.p_value for test in tests])
    columns = {
        f"{reference} minus it": [str(Interval(*test[:3])) for test in tests],
        "p (Holm)": p_values.round(4),
    }
    return pd.DataFrame(columns, index=others)
