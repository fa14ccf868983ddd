"""Numbers of the README, each with the id of its claim in a comment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from recsys.book.claimed import Claim, as_written

NUMBER = re.compile(r"([-−]?[\d.,]+%?(?: \[[^\]\n]*\])?)<!--([\w.@-]+)-->")


def rewrite_numbers(text: str, claims: Mapping[str, Claim]) -> str:
    """Fill every number that names a claim; one whose claim is not known is left.

    Args:
        text: of the README, for example "0.107<!--video.sasrec.ndcg10-->".
        claims: by id.
    """

    def fill(match: re.Match) -> str:
        shown, id = match.groups()
        new = as_written(shown, claims[id]) if id in claims else shown
        return f"{new}<!--{id}-->"

    return NUMBER.sub(fill, text)
