r"""How well the best reader of a planted history could foretell its next item.

The reader knows how the world is made (topic and style of every item, stay, noise, how
many interests a viewer has) and of a viewer only the history. What they hold for likely
is Bayes' rule, and of the history it needs two things: how often each topic and style
occurs, in any order, and which item is the newest.

A viewer has a set T of m topics, drawn evenly, and in each topic t of T a style S_t,
drawn evenly. Events have topics t_1, ..., t_n and styles s_1, ..., s_n, and

    P(history | T, S) = P(t_1, ..., t_n | T) * prod_i P(s_i | S of t_i) * a constant.

- *Topics.* The first factor is 0 where T lacks a topic that was seen, and else
  1/m * prod_i ((1 - stay)/m + stay [t_i = t_{i-1}]), the same for every such T. So the
  topics seen are the viewer's, and each of the others is among the m - seen that are
  left with probability (m - seen) / (n_topics - seen).
- *Styles.* Given the topics, the second factor falls apart by topic: the posterior of
  S_t is in proportion to own^c * other^(n_t - c), where c of the n_t events of topic t
  are of that style, own = 1 - noise + noise/n_styles and other = noise/n_styles.
  Sessions make events depend on each other through their topics alone, and those are
  seen. Of a topic without events every style is as likely.
- *Next.* Topic t of T comes with (1 - stay)/m + stay [t is that of the newest item], in
  it style s with (1 - noise) P(S_t = s | counts) + noise/n_styles, and of the items of
  a topic and style each as likely.

Nothing is approximate. The order of the older items enters by the first factor alone,
as the number of moves, which tells of stay and m, both known, and nothing of T or S:
who is given the whole history in its order foretells the same. So no reader of
histories, attention or not, has a higher expected nDCG of one next item; only who knows
the viewers' own topics and styles has (`PlantedInterests.probabilities`). Where stay is
0, or m is 1, the newest item counts like any other.
"""

from __future__ import annotations

import numpy as np

from recsys.data import Interactions
from recsys.simulate.interests import PlantedInterests


def counts_and_newest(planted: PlantedInterests, history: Interactions) -> np.ndarray:
    """How likely each item comes next, for one who knows the world and the history.

    Args:
        planted: the world; of its viewers only how many interests each has is read.
        history: one viewer a row of the result, over the items of the world. A viewer
            without events is one of whom nothing is known.

    Returns:
        Float (n, n_items); rows sum to 1. Only the counts of the history and its newest
        item matter.

    Raises:
        ValueError: a history over another number of items, or with more topics than a
            viewer of this world has.
    """
    topics, styles = planted.item_topics, planted.item_styles
    if history.n_items != len(topics):
        raise ValueError(
            f"history: expected the {len(topics)} items of the world, got "
            f"{history.n_items}; make it with the item_ids of its log"
        )
    n_topics, n_styles = topics.max() + 1, styles.max() + 1
    m, n = planted.topics.shape[1], history.n_users
    group = topics * n_styles + styles  # (n_items,)
    n_groups = n_topics * n_styles
    places = history.users * n_groups + group[history.items]
    counts = np.bincount(places, minlength=n * n_groups)
    counts = counts.reshape(n, n_topics, n_styles)
    belongs = _belongs(counts.any(2), m)  # (n, n_topics)

    newest = history.select(history.ages() == 0)
    goes_on = np.zeros((n, 1))
    goes_on[newest.users] = planted.stay  # without an event there is no session
    now = (1 - goes_on) / m * belongs  # (n, n_topics)
    now[newest.users, topics[newest.items]] += planted.stay

    own = (1 - planted.noise) * _style_posterior(counts, planted.noise)
    share = own + planted.noise / n_styles  # (n, n_topics, n_styles)
    chances = now[:, :, None] * share  # (n, n_topics, n_styles)
    n_alike = np.bincount(group)[group]  # (n_items,)
    return chances[:, topics, styles] / n_alike


def _belongs(seen: np.ndarray, m: int) -> np.ndarray:
    """How likely each topic is one of a viewer's m, from those seen: (n, n_topics)."""
    n_seen = seen.sum(1, keepdims=True)  # (n, 1)
    if n_seen.max(initial=0) > m:
        raise ValueError(
            f"history: expected at most {m} topics a viewer, the interests of each, "
            f"got {n_seen.max()} in row {n_seen.argmax()}; it is of another world"
        )
    n_others = np.maximum(seen.shape[1] - n_seen, 1)  # 1 where all were seen
    return np.where(seen, 1.0, (m - n_seen) / n_others)


def _style_posterior(counts: np.ndarray, noise: float) -> np.ndarray:
    """How likely each style is the viewer's own, of counts (n, n_topics, n_styles)."""
    n_styles = counts.shape[2]
    other, own = noise / n_styles, 1 - noise + noise / n_styles
    behind = counts.max(2, keepdims=True) - counts  # (n, n_topics, n_styles)
    likelihood = (other / own) ** behind  # over that of the most frequent style
    return likelihood / likelihood.sum(2, keepdims=True)
