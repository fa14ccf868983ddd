"""From logs to what a model is fed, in a seeded order, in NumPy.

An *index* is a place in a vocabulary, from 0: item 0 is the first of `item_ids`. An
*id* is what a padded row holds: index + 1, so that 0 can stand for nothing. Tables of
`recsys.data` and scores have indices; rows that a network reads have ids.

A batch is a tuple of arrays. What is drawn for it, and its place in an epoch, follow
from (seed, epoch), so that any epoch of any run can be made again without those before
it.

By what is fed: `sequences` (the next item), `histories` (candidates at each event),
`pairs` (a user and an item), `slates` (impressions), `words` (texts); `negatives` draws
items beside them. For a shop: `questions` (a customer and a day), `candidates` (what is
asked), `purchase_features`, and what these count: `repeats`, `sales`, `visits`.
"""
