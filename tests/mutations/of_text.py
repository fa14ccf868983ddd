"""Faults of the newsroom's models: NRMS, skip-gram, the masked language model, and what they are fed."""

from mutants import Mutant

NRMS = "tests/models/test_nrms.py"
SKIP_GRAM = "tests/models/test_skip_gram.py"
MASKED = "tests/models/test_masked_language.py"
SLATES = "tests/batches/test_slates.py"

TESTS = {
    "batches/slates.py": [SLATES, NRMS],
    "batches/words.py": [SKIP_GRAM, MASKED],
    "neural/masked_language.py": [MASKED],
    "neural/news.py": [NRMS],
    "neural/skip_gram.py": [SKIP_GRAM],
    "torch/masked_language.py": [MASKED],
    "torch/nrms.py": [NRMS],
    "torch/skip_gram.py": [SKIP_GRAM],
}


def of(file, name, old, new):
    return Mutant("models", name, file, old, new)


MUTANTS = [
    # networks and losses
    of("torch/nrms.py", "padding in a history is read", "real = told[history]", "real = torch.ones_like(told[history])"),
    of("torch/nrms.py", "words: padding is read", "return self.pooling(words, articles != PADDING)",
       "return self.pooling(words, articles >= PADDING)"),
    of("torch/nrms.py", "the mean reader asks", '"mean": MeanReader,', '"mean": TargetReader,'),
    of("torch/nrms.py", "age counts padding", "place = mask.cumsum(1)", "place = torch.ones_like(mask).cumsum(1)"),
    of("torch/nrms.py", "skips are added", "reader - against", "reader + against"),
    of("torch/nrms.py", "target attention is blind to the candidate", "return self.attention(candidates, history, mask)",
       "return self.attention(candidates.mean(1, keepdim=True).expand_as(candidates), history, mask)"),
    of("torch/nrms.py", "weights of the words, not of the pooling", "return output[:, 0], weights[:, 0]",
       "return output[:, 0], mask / mask.sum(1, keepdim=True).clamp(min=1)"),
    of("torch/nrms.py", "the vector of an unread article is not zero", "self.project = projection(in_dim, config.dim)",
       "self.project = projection(in_dim, config.dim, bias=True)\n        nn.init.ones_(self.project.bias)"),
    of("torch/nrms.py", "padding is a rival of the click", "scores.masked_fill(~skipped, lowest)",
       "scores.masked_fill(clicked, lowest)"),
    of("torch/nrms.py", "clicks are rivals of each other", "scores.masked_fill(~skipped, lowest)",
       "scores.masked_fill(~skipped & ~clicked, lowest)"),
    of("torch/nrms.py", "the sign of the loss", "F.softplus(against - scores)", "F.softplus(scores - against)"),
    of("torch/skip_gram.py", "strangers are pulled near", "F.softplus(strange)", "F.softplus(-strange)"),
    of("torch/skip_gram.py", "mean of the strangers, not their sum", "F.softplus(strange).sum(1)",
       "F.softplus(strange).mean(1)"),
    of("torch/skip_gram.py", "one vector a word", "scores = self.neighbours(words) @ centre",
       "scores = self.centres(words) @ centre"),
    of("torch/masked_language.py", "padding is seen", "self.attention(normed, real)", "self.attention(normed)"),
    of("torch/masked_language.py", "a word sees the past only", "config.n_heads, dropout=config.dropout",
       "config.n_heads, causal=True, dropout=config.dropout"),
    of("torch/masked_language.py", "the word after is named", "targets[named] - 1", "targets[named] % model.n_words"),
    of("torch/masked_language.py", "every word is named", "scores = model.scores(states[named])",
       "named = inputs != PADDING\n    targets = torch.where(targets > 0, targets, 1)\n"
       "    scores = model.scores(states[named])"),
    of("torch/masked_language.py", "none named divides by nought", "total / max(1, len(scores))", "total / len(scores)"),
    of("torch/masked_language.py", "padding has a share in the mean", "total = (states * real).sum(1)",
       "total = states.sum(1)"),
    # what they are fed
    of("batches/slates.py", "an id finds the article after its own", "articles[used[real] - 1]",
       "articles[used[real] % len(articles)]"),
    of("batches/slates.py", "padding is an article", "taken[real] = articles[used[real] - 1]",
       "taken[:] = articles[used - 1]"),
    of("batches/slates.py", "padding is a skip", "skipped = ~part.clicked & (part.shown != PADDING)",
       "skipped = ~part.clicked"),
    of("batches/slates.py", "each epoch in the same order", "default_rng([self.seed, epoch])", "default_rng(self.seed)"),
    of("batches/slates.py", "the last batch is left out", "range(0, len(order), self.batch_size)",
       "range(0, len(order) - self.batch_size, self.batch_size)"),
    of("batches/slates.py", "the oldest events are kept", "own[-max_history:]", "own[:max_history]"),
    of("batches/slates.py", "skips are clicks", "log.values[own] > 0", "log.values[own] > -1"),
    of("batches/slates.py", "slates without a skip stay", "clicks.all() or not clicks.any()", "not clicks.any()"),
    of("batches/slates.py", "the guard sees only the first candidate", "same & real", "(same & real)[:, :1]"),
    of("batches/slates.py", "the last impression is the last row", "np.lexsort((impressions.times, impressions.users))",
       "np.argsort(impressions.users, kind='stable')"),
    of("batches/words.py", "strangers by their counts", "self.counts**0.75", "self.counts**1.0"),
    of("batches/words.py", "padding is drawn", "weights = self.counts**0.75", "weights = (self.counts + 1) ** 0.75"),
    of("batches/words.py", "pairs cross texts", "together = text[:-distance] == text[distance:]",
       "together = text[:-distance] >= 0"),
    of("batches/words.py", "every window at its widest", "kept = together & (reach[centre] >= distance)", "kept = together"),
    of("batches/words.py", "words after, never before", "((early, late), (late, early))", "((early, late),)"),
    of("batches/words.py", "nothing is left as it is", "masked = chosen & (fate < 0.8)", "masked = chosen & (fate < 0.9)"),
    of("batches/words.py", "padding is hidden", "chosen = (ids != PADDING) & (rng.random(ids.shape) < share)",
       "chosen = rng.random(ids.shape) < share"),
    of("batches/words.py", "the same words are hidden in each epoch",
       "rng = np.random.default_rng([self.seed, epoch])\n        order", "rng = np.random.default_rng(self.seed)\n        order"),
    of("batches/words.py", "the end of a text is cut off", "range(0, len(ids), length)", "range(0, len(ids) - length + 1, length)"),
    # the recommender, and what trains and asks
    of("neural/news.py", "the loss counts slates", "return int(clicked.sum())", "return len(clicked)"),
    of("neural/news.py", "leaks are scored", "        refuse_leaks(data)\n\n    def _network", "\n    def _network"),
    of("neural/news.py", "leaks are learned", "        refuse_leaks(data)\n        batches", "        batches"),
    of("neural/news.py", "weights of other articles are taken", "return interactions.item_ids, self.articles",
       "return (interactions.item_ids,)"),
    of("neural/news.py", "a checkpoint of other slates is gone on from", "return digest(data.history, data.shown, data.clicked, data.liked)",
       'return ""'),
    of("neural/news.py", "a chunk is left out", "range(0, max(1, len(history)), size)",
       "range(0, max(1, len(history) - 1), size)"),
    of("neural/news.py", "padding is in the AUC", "real = data.shown != PADDING", "real = data.shown >= PADDING"),
    of("neural/skip_gram.py", "the vectors of neighbours are given", '["centres.weight"]', '["neighbours.weight"]'),
    of("neural/skip_gram.py", "padding has a vector", "    vectors[PADDING] = 0\n", ""),
    of("neural/masked_language.py", "the answer is in the question", "masked = np.where(chosen, model.n_words + 1, rows)",
       "masked = rows"),
    of("neural/masked_language.py", "words are counted from nought", "scores.argmax(-1) + 1", "scores.argmax(-1)"),
    of("neural/masked_language.py", "the loss counts windows", "return int((targets != PADDING).sum())", "return len(targets)"),
]  # fmt: skip
