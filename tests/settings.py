"""Settings that tests of several rooms share, without a framework."""

from recsys.neural.sasrec import SASRecConfig
from recsys.training.loop import FitConfig

SMALL_SASREC = SASRecConfig(dim=16, n_blocks=2, n_heads=2, dropout=0.1, max_length=12, tokens=120,
                            training=FitConfig(epochs=2, learning_rate=1e-2, save_every=3))  # fmt: skip
