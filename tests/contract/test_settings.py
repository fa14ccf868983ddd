"""Settings out of range are refused where they are made, and not by a network, steps or hours later."""

from dataclasses import fields

import pytest

from recsys.neural.factorisation import FactorisationConfig
from recsys.neural.history_attention import HistoryAttentionConfig
from recsys.neural.masked_language import MaskedLanguageConfig
from recsys.neural.ncf import DotProductConfig, GMFConfig, MLPConfig, NeuMFConfig
from recsys.neural.news import NRMSConfig
from recsys.neural.next_basket import NextBasketConfig
from recsys.neural.sasrec import SASRecConfig
from recsys.neural.skip_gram import SkipGramConfig
from recsys.neural.target_ranker import TargetRankerConfig
from recsys.training.loop import FitConfig

CONFIGS = [FactorisationConfig, HistoryAttentionConfig, MaskedLanguageConfig, DotProductConfig, GMFConfig, MLPConfig,
           NeuMFConfig, NRMSConfig, NextBasketConfig, SASRecConfig, SkipGramConfig, TargetRankerConfig, FitConfig]  # fmt: skip
COUNTS = [(kind, field.name) for kind in CONFIGS for field in fields(kind)
          if field.type in (int, int | None) and field.name != "seed"]  # fmt: skip
SHARES = [(kind, field.name) for kind in CONFIGS for field in fields(kind)
          if field.name in ("dropout", "masked", "warm_up")]  # fmt: skip


def test_every_settings_class_has_counts():
    assert {kind for kind, _ in COUNTS} == set(CONFIGS) and ("patience" in [name for _, name in COUNTS])


@pytest.mark.parametrize("count", [0, -3, float("nan"), 2.5])
@pytest.mark.parametrize("kind, name", COUNTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_count_that_is_none_is_refused(kind, name, count):
    with pytest.raises(ValueError, match=f"{name}: expected "):
        kind(**{name: count})


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("kind, name", SHARES, ids=lambda value: getattr(value, "__name__", value))
def test_a_share_out_of_range_is_refused(kind, name, share):
    with pytest.raises(ValueError, match=f"{name}: expected "):
        kind(**{name: share})


@pytest.mark.parametrize("kind", [MaskedLanguageConfig, NRMSConfig, SASRecConfig])
def test_heads_divide_the_dimension(kind):
    with pytest.raises(ValueError, match="dim and n_heads: expected a dim that divides by a positive n_heads"):
        kind(dim=10, n_heads=4)
