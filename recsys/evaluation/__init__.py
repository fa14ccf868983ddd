"""Splits, ranking metrics, full-ranking evaluation, tuning, intervals and paired tests.

Evaluation is always over the full catalogue. The sampled protocol exists once,
in `sampled_hits`, to show what it does to a conclusion.
"""

from recsys.evaluation.beyond_accuracy import (
    coverage,
    gini,
    intra_list_diversity,
    novelty,
)
from recsys.evaluation.compare import (
    Interval,
    Paired,
    bootstrap_interval,
    paired_test,
    rounded,
)
from recsys.evaluation.full_ranking import Evaluation, compare_table, evaluate
from recsys.evaluation.lists import recommend
from recsys.evaluation.live import next_events
from recsys.evaluation.log_moderators import Moderators, moderators
from recsys.evaluation.metrics import (
    NDCG_VARIANTS,
    auc,
    auc_per_user,
    average_precision,
    hit_rate,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
    rmse,
)
from recsys.evaluation.ranking import TIE_RULE, TIE_RULES, hits_of, sampled_hits, top_k
from recsys.evaluation.reference import leads
from recsys.evaluation.splits import (
    TIE_BREAK,
    TIE_BREAKS,
    Split,
    global_temporal,
    last_basket,
    leave_last_out,
    random_ratio,
)
from recsys.evaluation.tuning import combinations, draws, timed_fit, tune
from recsys.evaluation.verdicts import (
    TwoWay,
    Verdict,
    equivalent,
    holm,
    two_way_interval,
    two_way_test,
    verdict,
)

__all__ = [
    "NDCG_VARIANTS",
    "TIE_BREAK",
    "TIE_BREAKS",
    "TIE_RULE",
    "TIE_RULES",
    "Evaluation",
    "Interval",
    "Moderators",
    "Paired",
    "Split",
    "TwoWay",
    "Verdict",
    "auc",
    "auc_per_user",
    "average_precision",
    "bootstrap_interval",
    "combinations",
    "compare_table",
    "coverage",
    "draws",
    "equivalent",
    "evaluate",
    "gini",
    "global_temporal",
    "hit_rate",
    "hits_of",
    "holm",
    "intra_list_diversity",
    "last_basket",
    "leads",
    "leave_last_out",
    "moderators",
    "ndcg",
    "next_events",
    "novelty",
    "paired_test",
    "precision",
    "random_ratio",
    "recall",
    "reciprocal_rank",
    "recommend",
    "rmse",
    "rounded",
    "sampled_hits",
    "timed_fit",
    "top_k",
    "tune",
    "two_way_interval",
    "two_way_test",
    "verdict",
]
