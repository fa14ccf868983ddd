"""What the mutation run puts into a copy of the package, one change at a time.

First the ten faults of the chapter on mistakes, then generic changes: a sign, an axis, a
scale, a mask dropped. The tests know nothing of this list. A change is a piece of source
that occurs exactly once in its file, and what takes its place; `twin` writes one for each
framework.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One change: who tests it, what it is, where, and the text before and after."""

    group: str
    name: str
    file: str
    old: str
    new: str


def numpy(name, file, old, new):
    return [Mutant("numpy", name, f"attention/{file}", old, new)]


def check(name, old, new):
    return [Mutant("numpy", name, "checks.py", old, new)]


def twin(name, file, old, new, paddle_old=None, paddle_new=None):
    """The same change in both twins; Paddle's own spelling where it differs."""
    return [
        Mutant("torch", name, f"torch/{file}", old, new),
        Mutant("paddle", name, f"paddle/{file}", paddle_old or old, paddle_new or new),
    ]


VALUES = "self.value(items), mask)"
DIRECTION = "self.direction(torch.tanh(pairs))"
PADDLE_DIRECTION = DIRECTION.replace("torch", "paddle")

TEN_FAULTS = [
    *numpy("1 attention across the batch", "dot_product.py",
           "weights = softmax(scores, mask=mask)", "weights = softmax(scores, axis=0, mask=mask)"),
    *twin("1 attention across the batch", "functional.py",
          "weights = F.softmax(scores, dim=-1)", "weights = F.softmax(scores, dim=0)",
          "weights = F.softmax(scores, axis=-1)", "weights = F.softmax(scores, axis=0)"),
    *twin("1 keys of the whole batch", "cross_attention.py",
          "return attention_(self.query(query), self.key(items), " + VALUES,
          "batch, length, _ = items.shape\n"
          "        mates = items.flatten(0, 1)[None].expand([batch, -1, -1])\n"
          "        if mask is not None:\n"
          "            mask = mask.flatten()[None, None].expand([batch, 1, -1])\n"
          "        keys, values = self.key(mates), self.value(mates)\n"
          "        output, weights = attention_(self.query(query), keys, values, mask)\n"
          "        return output, weights.reshape([batch, -1, batch, length]).sum(2)"),
    *twin("2 softmax over an axis of length one", "cross_attention.py",
          DIRECTION, f"torch.softmax({DIRECTION}, -1)",
          PADDLE_DIRECTION,
          f"paddle.nn.functional.softmax({PADDLE_DIRECTION}, -1)"),
    *twin("3 a layer made inside forward", "cross_attention.py", VALUES,
          "projection(items.shape[-1], self.value.weight.shape[0]).to(items.dtype)(items), mask)",
          VALUES,
          "projection(items.shape[-1], self.value.weight.shape[1]).to(dtype=items.dtype)(items), mask)"),
    *numpy("4 the loss ignores the label", "losses.py",
           "np.where(observed, predictions - targets, 0)", "np.where(observed, predictions, 0)"),
    *numpy("4 cross-entropy of the model with itself", "losses.py",
           "return float(-(shares * log_softmax(scores)).sum(axis=1).mean())",
           "return float(-(softmax(scores) * log_softmax(scores)).sum(axis=1).mean())"),
    *numpy("5 batch means divided by rows", "losses.py",
           "(means * sizes).sum() / sizes.sum()", "means.sum() / sizes.sum()"),
    *numpy("6 the feature axis averaged", "pooling.py",
           "[:, None, :] @ items)[:, 0]", "[:, None, :] @ (0 * items + items.mean(axis=2, keepdims=True)))[:, 0]"),
    *twin("6 the feature axis averaged", "pooling.py", "attend_(even, items, real)",
          "attend_(even, 0 * items + items.mean(-1, keepdim=True), real)"),
    *numpy("7 a shape that works when 32 equals 32", "scores.py",
           "return query @ _transpose(key)", "return query @ key"),
    *twin("7 a shape that works when 32 equals 32", "functional.py", "@ key.mT", "@ key"),
    *check("7 a mask that gains axes by itself",
           "fits = len(shape) == len(expected) and all(\n        size in (1, full) for size, full in zip(shape, expected)\n    )",
           "fits = np.broadcast_shapes(shape, expected) == expected"),
    *check("7 a column against a vector",
           "if tuple(first.shape) != tuple(second.shape):",
           "if len(first) != len(second):"),
    *numpy("8 a missing padding mask", "dot_product.py",
           "weights = softmax(scores, mask=mask)", "weights = softmax(scores)"),
    *twin("8 a missing padding mask", "cross_attention.py",
          "return padding_mask[:, None, :]", "return None"),
    *twin("8 a missing padding mask, heads", "multi_head.py",
          "mask = real if mask is None else real & mask", "pass"),
    *twin("8 a missing padding mask, pooling", "pooling.py", "    return padding_mask\n",
          "    return torch.ones_like(padding_mask)\n", "    return padding_mask\n",
          "    return paddle.ones_like(padding_mask)\n"),
    *twin("9 dropout left on", "parameters.py", "if not self.training or self.share == 0:", "if self.share == 0:"),
    *numpy("10 negatives that hit positives", "sampled.py",
           "return draws + (below[:, None, :] <= draws[:, :, None]).sum(axis=2)",
           "return rng.integers(1, n_items + 1, size=draws.shape)"),
]  # fmt: skip

WEIGHTS = [
    *numpy("temperature multiplies", "weights.py", "scaled = scores / temperature", "scaled = scores * temperature"),
    *numpy("temperature ignored", "weights.py", "scaled = scores / temperature", "scaled = scores / 1.0"),
    *numpy("mask inverted", "weights.py", "shifted = np.where(mask,", "shifted = np.where(~mask,"),
    *numpy("no shift by the peak", "weights.py", "np.where(np.isfinite(peak), peak, 0)", "0"),
    *numpy("peak under the mask", "weights.py", "where=mask, initial=-np.inf)", "initial=-np.inf)"),
    *numpy("sum over another axis", "weights.py",
           "total = exponentials.sum(axis=axis", "total = exponentials.sum(axis=-1"),
    *numpy("masked row divides by zero", "weights.py", "np.where(total > 0, total, 1)", "total"),
    *numpy("softmax vjp: mean added", "weights.py", "(grad_weights - mean) / temperature", "(grad_weights + mean) / temperature"),
    *numpy("softmax vjp: mean dropped", "weights.py", "(grad_weights - mean) / temperature", "grad_weights / temperature"),
    *numpy("softmax vjp: temperature dropped", "weights.py", "(grad_weights - mean) / temperature", "(grad_weights - mean)"),
    *numpy("log softmax: sign", "weights.py", "return shifted - np.log(", "return shifted + np.log("),
    *numpy("log softmax: no shift", "weights.py", "shifted = scores - scores.max(axis=axis, keepdims=True)", "shifted = scores"),
    *numpy("sparsemax: support too small", "weights.py", "rank * ordered > excess", "rank * ordered > excess + 0.5"),
    *numpy("sparsemax: not clipped", "weights.py", "np.maximum(scores - threshold, 0)", "scores - threshold"),
    *numpy("sparsemax vjp: not centred", "weights.py", "np.where(support, grad_weights - mean, 0)", "np.where(support, grad_weights, 0)"),
    *numpy("sparsemax vjp: mean over all", "weights.py", "keepdims=True, where=support)", "keepdims=True)"),
    *numpy("entropy: another axis", "weights.py", "entr(weights).sum(axis=axis)", "entr(weights).sum(axis=-1)"),
    *numpy("effective number: base two", "weights.py", "np.exp(entropy(", "np.exp2(entropy("),
    *numpy("effective number of nothing", "weights.py", "spread, 0)", "spread, 1)"),
]  # fmt: skip

SCORES = [
    *numpy("no scale", "scores.py", "dot_scores(query / math.sqrt(query.shape[-1]), key)", "dot_scores(query, key)"),
    *numpy("scale by dim", "scores.py", "dot_scores(query / math.sqrt(query.shape[-1]), key)", "dot_scores(query / query.shape[-1], key)"),
    *numpy("scale by length", "scores.py", "dot_scores(query / math.sqrt(query.shape[-1]), key)", "dot_scores(query / math.sqrt(query.shape[-2]), key)"),
    *numpy("scaled vjp: no scale", "scores.py", "grad_scores / math.sqrt(query.shape[-1]))", "grad_scores)"),
    *numpy("dot vjp: sign", "scores.py", "_transpose(grad_scores) @ query", "-_transpose(grad_scores) @ query"),
    *numpy("matrix gradient: sign", "scores.py", "return rows.T @", "return -rows.T @"),
    *numpy("bilinear vjp: matrix dropped", "scores.py", "return grad_projected @ matrix.T, grad_key", "return grad_projected @ np.ones_like(matrix.T), grad_key"),
    *numpy("cosine: not divided by length", "scores.py", "return array * inverse, inverse", "return array * inverse * inverse, inverse"),
    *numpy("cosine vjp: not tangent", "scores.py", "(grad - (grad * unit).sum(axis=-1, keepdims=True) * unit) * inverse", "grad * inverse"),
    *numpy("additive: key dropped", "scores.py", "return _hidden(query @ query_matrix, key @ key_matrix) @ direction", "return _hidden(query @ query_matrix, 0 * key @ key_matrix) @ direction"),
    *numpy("hidden: key subtracted", "scores.py", "query[..., :, None, :] + key[..., None, :, :] + product", "query[..., :, None, :] - key[..., None, :, :] + product"),
    *numpy("hidden: product dropped", "scores.py", "query[..., :, None, :] + key[..., None, :, :] + product", "query[..., :, None, :] + key[..., None, :, :]"),
    *numpy("additive vjp: slope of tanh", "scores.py", "hidden = _hidden(\n        query @", "hidden = 0 * _hidden(\n        query @"),
    *numpy("additive vjp: sums swapped", "scores.py", "grad_query, grad_key = grad_sum.sum(axis=-2), grad_sum.sum(axis=-3)", "grad_key, grad_query = grad_sum.sum(axis=-2), grad_sum.sum(axis=-3)"),
    *numpy("target vjp: product rule, candidate", "scores.py", " + (grad_product * item[..., None, :, :]).sum(axis=-2)", ""),
    *numpy("target vjp: product rule, item", "scores.py", " + (grad_product * candidate[..., :, None, :]).sum(axis=-3)", ""),
    *numpy("target vjp: bias averaged", "scores.py", "grad_candidate.shape[-1]).sum(axis=0)", "grad_candidate.shape[-1]).mean(axis=0)"),
]  # fmt: skip

ATTENTION = [
    *numpy("the future is visible", "dot_product.py", "np.tril(", "np.triu("),
    *numpy("weights transposed in the vjp", "dot_product.py", "grad_weights), np.swapaxes(", "grad_weights), -np.swapaxes("),
    *numpy("vjp forgets the mask", "dot_product.py", "_, weights = attention(query, key, value, mask)", "_, weights = attention(query, key, value)"),
    *numpy("vjp forgets the keys' path to the items", "dot_product.py", "grad_key @ projections.key.T + grad_value", "grad_value"),
    *numpy("key and value exchanged", "dot_product.py", "items @ projections.key,\n        items @ projections.value,\n        mask", "items @ projections.value,\n        items @ projections.key,\n        mask"),
    *numpy("heads cut along the length", "dot_product.py", "return np.swapaxes(heads, -2, -3)\n\n\ndef merge", "return heads.reshape(*array.shape[:-2], n_heads, array.shape[-2], -1)\n\n\ndef merge"),
    *numpy("heads forget the mask", "dot_product.py", "None if mask is None else np.expand_dims(mask, -3)", "None"),
    *numpy("heads not mixed", "dot_product.py", "return merge_heads(output) @ projections.output, weights", "return merge_heads(output), weights"),
    *numpy("heads vjp: output matrix not transposed", "dot_product.py", "grad_output @ projections.output.T", "grad_output @ projections.output"),
    *numpy("values are not checked", "dot_product.py", '    check_finite("values", values)\n', ""),
]  # fmt: skip

LOSSES = [
    *numpy("squared error: absolute", "losses.py", "(errors * errors).sum()", "abs(errors).sum()"),
    *numpy("squared error: sign of the gradient", "losses.py", "return 2 * errors / divisor", "return -2 * errors / divisor"),
    *numpy("squared error: factor two", "losses.py", "return 2 * errors / divisor", "return errors / divisor"),
    *numpy("per user divides by items", "losses.py", '"user": len(predictions)', '"user": predictions.shape[-1]'),
    *numpy("per observation counts all", "losses.py", '"observed": observed.sum()', '"observed": observed.size'),
    *numpy("unobserved pairs counted", "losses.py", "np.where(observed, predictions - targets, 0)", "np.nan_to_num(predictions - targets)"),
    *numpy("cross-entropy: sign of the gradient", "losses.py", "(softmax(scores) - _shares(scores, targets))", "(_shares(scores, targets) - softmax(scores))"),
    *numpy("cross-entropy: not divided by the batch", "losses.py", "_shares(scores, targets)) / len(scores)", "_shares(scores, targets))"),
    *numpy("cross-entropy: summed", "losses.py", ".sum(axis=1).mean())", ".sum(axis=1).sum())"),
    *numpy("classes shifted by one", "losses.py", "np.arange(scores.shape[1]))", "np.arange(1, scores.shape[1] + 1))"),
    *numpy("binary: label inverted", "losses.py", "labels * scores).mean()", "(1 - labels) * scores).mean()"),
    *numpy("binary: sign of the gradient", "losses.py", "(expit(scores) - labels) / scores.size", "(labels - expit(scores)) / scores.size"),
    *numpy("binary: overflows", "losses.py", "np.logaddexp(0, scores)", "np.log(1 + np.exp(scores))"),
    *numpy("mean of means", "losses.py", "(means * sizes).sum() / sizes.sum()", "means.mean()"),
    *numpy("bpr: order exchanged", "sampled.py", "margin = positive_scores - negative_scores", "margin = negative_scores - positive_scores"),
    *numpy("bpr: sign of the gradient", "sampled.py", "return -gradient, gradient", "return gradient, -gradient"),
    *numpy("bpr: slope at the wrong side", "sampled.py", "expit(-margin)", "expit(margin)"),
    *numpy("logQ added", "sampled.py", "negative_scores - log_q -", "negative_scores + log_q -"),
    *numpy("logQ dropped", "sampled.py", "negative_scores - log_q -", "negative_scores -"),
    *numpy("number of draws forgotten", "sampled.py", " - math.log(negative_scores.shape[1])", ""),
    *numpy("padding may be drawn", "sampled.py", "rng.integers(1, n_left + 1", "rng.integers(0, n_left + 1"),
    *numpy("the last item is never drawn", "sampled.py", "rng.integers(1, n_left + 1", "rng.integers(1, np.maximum(n_left, 2)"),
    *numpy("repeats counted twice", "sampled.py", "first = np.diff(ordered, axis=1, prepend=0) > 0", "first = ordered > 0"),
    *numpy("one positive too few", "sampled.py", "<= draws[:, :, None]", "< draws[:, :, None]"),
]  # fmt: skip

CHECKS = [
    *check("temperature zero passes", "temperature > 0)", "temperature >= 0)"),
    *check("dtype of masks unchecked", 'if dtype != "bool":', 'if dtype == "object":'),
    *check("normalised axis may be one", "if not fits or shape[axis] != expected[axis]:", "if not fits:"),
    *check("heads need not divide", "if n_heads < 1 or dim % n_heads:", "if n_heads < 1:"),
    *check("infinity passes", "finite = np.isfinite(array)", "finite = ~np.isnan(array)"),
    *numpy("one-sided differences", "differences.py", "for signed in (step, -step):", "for signed in (2 * step, 0):"),
    *numpy("taylor without the first order", "differences.py", "- value - step * promised", "- value"),
    *numpy("taylor without rounding", "differences.py", "above = remainders > rounding", "above = remainders > 0"),
    *numpy("gradient check: relative error only of one", "differences.py", "error.max(initial=0)", "error.min(initial=0)"),
]  # fmt: skip

LAYERS = [
    *twin("no scale", "functional.py", "(query / math.sqrt(query.shape[-1]))", "query"),
    *twin("scale by dim", "functional.py", "math.sqrt(query.shape[-1])", "query.shape[-1]"),
    *twin("scale by length", "functional.py", "math.sqrt(query.shape[-1])", "math.sqrt(query.shape[-2])"),
    *twin("temperature multiplies", "functional.py", "scores / temperature", "scores * temperature"),
    *twin("mask inverted", "functional.py", "~mask & attends", "mask & attends"),
    *twin("masked row is not a number", "functional.py", "~mask & attends", "~mask"),
    *twin("masked row is uniform", "functional.py", "return weights * real.expand(shape)", "return weights"),
    *twin("the caller's scores overwritten", "functional.py", "scores / temperature", "scores"),
    *twin("the future is visible", "functional.py", ".tril()", ".triu()"),
    *twin("values are not checked", "functional.py", '    check_finite("values", values)\n', ""),
    *twin("scores are not checked", "functional.py", '    check_temperature(temperature)\n    check_finite("scores", scores)\n', "    check_temperature(temperature)\n"),
    *twin("values negated", "functional.py", "return weights @ values, weights", "return -(weights @ values), weights"),
    *twin("values of attention negated", "functional.py", "return weights @ value, weights", "return -(weights @ value), weights"),
    *twin("the caller's scores overwritten by attend", "functional.py", "softmax_(scores.clone(), mask)", "softmax_(scores, mask)"),
    *twin("key and value exchanged", "cross_attention.py", "self.key(items), " + VALUES, "self.value(items), self.key(items), mask)"),
    *twin("keys are the items' values too", "cross_attention.py", VALUES, "self.key(items), mask)"),
    *twin("additive: key subtracted", "cross_attention.py", "asked + self.key(", "asked - self.key("),
    *twin("additive: no tanh", "cross_attention.py", "torch.tanh(pairs)", "pairs", "paddle.tanh(pairs)", "pairs"),
    *twin("target: no product", "cross_attention.py", "singles + self.product(product)", "singles + 0 * self.product(product)"),
    *twin("target: product is a sum", "cross_attention.py", "query[:, :, None, :] * items[:, None, :, :]", "query[:, :, None, :] + items[:, None, :, :]"),
    *twin("target: no bias", "cross_attention.py", "projection(dim, hidden_dim, bias=True)", "projection(dim, hidden_dim)"),
    *twin("rows of queries repeated", "cross_attention.py", "    check_batches(query, items)\n", ""),
    *twin("not causal", "multi_head.py", "if self.causal:", "if False:"),
    *twin("always causal", "multi_head.py", "if self.causal:", "if True:"),
    *twin("padding or causal", "multi_head.py", "real & mask", "real | mask"),
    *twin("padding on the queries", "multi_head.py", "padding_mask[:, None, None, :]", "padding_mask[:, None, :, None].tile([1, 1, 1, items.shape[1]])"),
    *twin("heads not merged back", "multi_head.py", "mixed.transpose(1, 2).flatten(2)", "mixed.reshape(items.shape)"),
    *twin("heads cut along the length", "multi_head.py",
          "shape = (batch, length, self.n_heads, dim // self.n_heads)\n        return projected.reshape(shape).transpose(1, 2)",
          "return projected.reshape((batch, self.n_heads, length, dim // self.n_heads))"),
    *twin("heads not mixed", "multi_head.py", "return self.output(merged), weights", "return merged, weights"),
    *twin("dropout never", "multi_head.py", "self.drop(weights) @ value", "weights @ value"),
    *twin("dropped weights returned", "multi_head.py", "return self.output(merged), weights", "return self.output(merged), self.drop(weights)"),
    *twin("mean of everything", "pooling.py", "attend_(even, items, real)", "attend_(even, items, real | ~real)"),
    *twin("start too wide", "parameters.py", "nn.init.xavier_uniform_(layer.weight)", "nn.init.xavier_uniform_(layer.weight, gain=2.0)",
          "XavierUniform()", "XavierUniform(gain=2.0)"),
    *twin("bias does not start at zero", "parameters.py", "nn.init.zeros_(layer.bias)", "nn.init.ones_(layer.bias)",
          "Constant(0.0) if bias", "Constant(1.0) if bias"),
    *twin("arrays of another layer pass", "parameters.py", "    check_arrays(to_arrays(layer), arrays)\n", ""),
    Mutant("torch", "arrays not transposed", "torch/parameters.py", "(array.T if name in turned else array).copy()", "array.copy()"),
]  # fmt: skip

MUTANTS = [*TEN_FAULTS, *WEIGHTS, *SCORES, *ATTENTION, *LOSSES, *CHECKS, *LAYERS]
