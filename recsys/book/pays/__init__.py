"""When does attention pay? What the studies `pays_*` have in common.

What is compared, how it is tuned and how it is read was written down before any test was
read: `studies/attention_pays.yml`. `arms` makes a recommender of a name and settings,
`search` chooses settings and reads tests with several seeds, `logs` says what is fitted
and asked on a log, `text` does so for articles, `planted` for planted viewers,
`baskets` and `basket_worlds` for next baskets, `shop` for the shop, whose lists and what
their tests say stand beside it.
"""

from pathlib import Path
from typing import Any

import yaml


def registered(directory: Path, name: str) -> dict[str, Any]:
    """What was written down for one study, with what holds for all.

    Args:
        directory: that of `attention_pays.yml`.
        name: under `studies` there.

    Returns:
        The settings of a study; spaces and arms of the study stand in place of those
        for all.
    """
    text = (directory / "attention_pays.yml").read_text("utf-8")
    written = yaml.safe_load(text)
    return {**written["for all"], **written["studies"][name]}
