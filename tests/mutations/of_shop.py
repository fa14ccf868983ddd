"""Faults for the shop: questions, candidates, features, proposals, both networks, their losses and recommenders."""

from mutants import Mutant


def models(name, file, old, new):
    return Mutant("models", name, file, old, new)


QUESTIONS, CANDIDATES, SALES = "batches/questions.py", "batches/candidates.py", "batches/sales.py"
FEATURES, PROPOSALS, TREES = "batches/purchase_features.py", "baselines/proposals.py", "baselines/basket_ranker.py"
RANKER, BASKET = "neural/target_ranker.py", "neural/next_basket.py"
RANKER_NETWORK, BASKET_NETWORK = "torch/target_ranker.py", "torch/next_basket.py"
REPEATS, VISITS, UNIT = "batches/repeats.py", "batches/visits.py", "torch/activation_unit.py"

MUTANTS = [
    models("questions: the day asked about may be known", QUESTIONS, "newest >= self.days[known]", "newest > self.days[known]"),
    models("questions: any order of a history", QUESTIONS, "disorder = known[inside > 0]", "disorder = known[inside > 10**9]"),
    models("questions: baskets of other questions selected", QUESTIONS, "basket_items=self.basket_items[places]", "basket_items=self.basket_items[:len(places)]"),
    models("questions: the history holds its basket", QUESTIONS, "ends=np.searchsorted(event_keys, basket_keys)", 'ends=np.searchsorted(event_keys, basket_keys, side="right")'),
    models("questions: one basket too many", QUESTIONS, "ages < n_baskets", "ages <= n_baskets"),
    models("questions: supposed day of a stranger", QUESTIONS, "history.newest_times(missing=end) + usual_gap", "history.newest_times(missing=0) + usual_gap"),
    models("questions: steps from the first visit on", QUESTIONS, "with_times(end - visits(history).age", "with_times(end + visits(history).age"),
    models("visits: a user's baskets run on", VISITS, "(user_step != 0) | (time_step != 0)", "(user_step == 0) & (time_step != 0)"),
    models("repeats: newest day of the oldest event", REPEATS, "self.newest = days[self.order[ends - 1]]", "self.newest = days[self.order[starts]]"),
    models("repeats: weights not in the order of pairs", REPEATS, "weights=weights[self.order]", "weights=weights"),
    models("repeats: a pair that does not occur is another", REPEATS, "np.where(self.keys[places] == wanted, places, -1)", "places"),
    models("candidates: negatives in the basket", CANDIDATES, "        if not wrong.size:\n            return items", "        return items"),
    models("candidates: uniform draws", CANDIDATES, "np.cumsum(weights) / np.sum(weights)", "np.cumsum(weights > 0) / np.sum(weights > 0)"),
    models("candidates: never drawn but asked about", CANDIDATES, "known = weights[bought] > 0", "known = weights[bought] >= 0"),
    models("batches: the oldest events are kept", CANDIDATES, "_padded_ranges(questions.ends[group] - lengths, lengths)", "_padded_ranges(questions.starts[group], lengths)"),
    models("batches: padding has the gap of an event", CANDIDATES, "gaps=np.where(events < 0, 0, gaps)", "gaps=gaps"),
    models("batches: no column for an empty history", CANDIDATES, "columns = np.arange(counts.max(initial=1))", "columns = np.arange(counts.max(initial=0))"),
    models("sales: the day itself is counted", SALES, "interactions.times - self.first + 1", "interactions.times - self.first"),
    models("sales: no decay", SALES, "kept = 0.5 ** (1 / half_life)", "kept = 0.5 ** (0 / half_life)"),
    models("sales: shares before and on the day", SALES, 'places = np.searchsorted(marks, days, side="right")', 'places = np.searchsorted(marks, days, side="left")'),
    models("sales: the same day again is a return", SALES, "new_visit[1:] |= other_day", "new_visit[1:] |= True"),
    models("features: columns by place, not by name", FEATURES, "[columns[name] for name in names]", "list(columns.values())"),
    models("features: decay in visits of decay in days", FEATURES, "taken.sums(0.8**visits.age)", "taken.sums(0.97**visits.age)"),
    models("features: everybody's gap", FEATURES, "counts > 1, values_at", "counts > 10**9, values_at"),
    models("features: a mean price of the catalogue", FEATURES, "running[questions.ends] - running[questions.starts]", "running[questions.ends]"),
    models("proposals: nothing of the history", PROPOSALS, "keys = [owners * n_items + taken, _best", "keys = [_best"),
    models("proposals: the oldest event weighs most", PROPOSALS, "ages = questions.ends[owners] - 1 - places", "ages = places - questions.starts[owners]"),
    models("proposals: the answers are in the log", PROPOSALS, "interactions.select(ages_in_log > age)", "interactions.select(ages_in_log >= age)"),
    models("proposals: rows of another chunk", PROPOSALS, "question.append(asked_now[proposed.candidates.question])", "question.append(proposed.candidates.question)"),
    models("proposals: what nobody proposed comes first", PROPOSALS, "FLOOR = -100.0", "FLOOR = 100.0"),
    models("proposals: the day is always told", PROPOSALS, "days=questions.newest_days(0) + usual_gap", "days=questions.days"),
    models("trees: labels turned", TREES, "bought = candidates.labels == 1", "bought = candidates.labels == 0"),
    models("trees: the end is told with the day", TREES, "        if self.usual_gap is None:\n            return np.zeros(len(items))\n", ""),
    models("ranker: no correction for the draws", RANKER, "return scores + correction", "return scores"),
    models("ranker: loss over padding too", RANKER, "int((batch[2] != PADDING).sum())", "batch[2].size"),
    models("ranker: rows mixed up", RANKER, "scores[batch.rows[real]] = logits[real]", "scores[np.sort(batch.rows[real])] = logits[real]"),
    models("ranker: weights of another log load", RANKER, '"data": log_digest(interactions)', '"data": ""'),
    models("ranker network: padding is read", RANKER_NETWORK, "real = history != PADDING  # (batch, length)\n        asked", "real = history == history  # (batch, length)\n        asked"),
    models("ranker network: age not read", RANKER_NETWORK, "self._vectors(history) + self.gap(self._ages(gaps))", "self._vectors(history) + 0 * self.gap(self._ages(gaps))"),
    models("ranker network: the oldest day in place of the newest", RANKER_NETWORK, ".amin(dim=1, keepdim=True)", ".amax(dim=1, keepdim=True)"),
    models("ranker network: days since the oldest", RANKER_NETWORK, "newest = nearness.amax(dim=-1)", "newest = nearness.amin(dim=-1)"),
    models("ranker network: padding is an event that is counted", RANKER_NETWORK, "n = real.sum(dim=1)", "n = (real | True).sum(dim=1)"),
    models("ranker network: the sum is a mean", RANKER_NETWORK, "pooled, weights = pooled * scale, weights * scale", "weights = weights * scale"),
    models("ranker network: sigmoids of padding", RANKER_NETWORK, "torch.sigmoid(scores) * real[:, None].to(scores.dtype)", "torch.sigmoid(scores)"),
    models("ranker network: decay without ages", RANKER_NETWORK, "self.age[self._ages(gaps)][:, None]", "self.age[0 * self._ages(gaps)][:, None]"),
    models("ranker network: a list without what c and u share", RANKER_NETWORK, "weight[:dim] + pooled.T * weight[2 * dim : 3 * dim]", "weight[:dim]"),
    models("ranker network: a list that is told of nothing", RANKER_NETWORK, "hidden[rows] = hidden[rows] + told", "hidden[rows] = hidden[rows] + 0 * told"),
    models("ranker loss: padding is a negative", RANKER_NETWORK, "(scores[real], labels[real])", "(scores, labels)"),
    models("activation unit: no product", UNIT, "hidden = singles + product", "hidden = singles"),
    models("activation unit: a softmax", UNIT, "return weights @ items, weights", "return torch.softmax(weights, -1) @ items, weights"),
    models("basket: unanswered questions teach", BASKET, "np.unique(candidates.question[labels == 1])", "np.unique(candidates.question)"),
    models("basket: proposals of a fit that failed", BASKET, "self._prepared = prepared.proposals", "self._prepared = self.proposals = prepared.proposals"),
    models("basket: scores at other rows", BASKET, "scores[rows[real]] = found[real]", "scores[:real.sum()] = found[real]"),
    models("basket: popularity of another candidate", BASKET, "popular = at_places(popularity, batch.rows, 0)", "popular = at_places(popularity, np.minimum(batch.rows, 0), 0)"),
    models("basket network: an age begins a day late", BASKET_NETWORK, "torch.bucketize(gaps, self.edges, right=True)", "torch.bucketize(gaps, self.edges)"),
    models("ranker network: an age begins a day late", RANKER_NETWORK, "torch.bucketize(gaps, self.edges, right=True)", "torch.bucketize(gaps, self.edges)"),
    models("basket network: softmax for the sum", BASKET_NETWORK, "return torch.sigmoid(logits) * shown", "return torch.softmax(logits, dim=2) * shown"),
    models("basket network: padding is read", BASKET_NETWORK, "logits = logits.masked_fill(~real, HIDDEN)\n        return F.softmax(logits, dim=2) * shown", "return F.softmax(logits, dim=2)"),
    models("basket network: blind to repeats", BASKET_NETWORK, "return same * float(self.config.match)", "return same * 0"),
    models("basket network: ages not read", BASKET_NETWORK, "            logits = logits + age\n", "            pass\n"),
    models("basket network: content reads ages", BASKET_NETWORK, 'if self.config.pooling != "content":', "if True:"),
    models("basket network: decay asks", BASKET_NETWORK, 'if self.config.pooling == "decay":', "if False:"),
    models("basket network: the oldest day for the newest", BASKET_NETWORK, "gaps[:, None, :] < gaps[:, :, None]", "gaps[:, None, :] > gaps[:, :, None]"),
    models("basket network: padding is newer than the newest", BASKET_NETWORK, "    newer = newer & known[:, None, :]  # (batch, length, length)\n", ""),
    models("basket network: all days are the newest", BASKET_NETWORK, "known = known & _newest_day(gaps, known)", "pass"),
    models("basket loss: padding is a candidate", BASKET_NETWORK, "scores = scores.masked_fill(inputs[2] == PADDING, HIDDEN)", "scores = scores * 1"),
    models("basket loss: a sum over what was bought", BASKET_NETWORK, "(logs * labels).sum(1) / n_bought", "(logs * labels).sum(1)"),
]  # fmt: skip

_CANDIDATES = ["tests/batches/test_candidates.py"]
_FEATURES = ["tests/batches/test_purchase_features.py"]
_TREES = ["tests/baselines/test_basket_ranker.py"]
_RANKER = ["tests/models/test_target_ranker.py"]
_BASKET = ["tests/models/test_next_basket.py"]
_CONTRACT = ["tests/contract/test_recommenders.py"]
TESTS = {
    QUESTIONS: _CANDIDATES, CANDIDATES: _CANDIDATES, VISITS: [*_CANDIDATES, *_FEATURES],
    REPEATS: [*_CANDIDATES, *_FEATURES], SALES: _FEATURES, FEATURES: _FEATURES, PROPOSALS: _TREES,
    TREES: [*_TREES, *_FEATURES], RANKER: _RANKER, RANKER_NETWORK: _RANKER, UNIT: _RANKER,
    BASKET: [*_BASKET, *_CONTRACT], BASKET_NETWORK: _BASKET,
}  # fmt: skip
