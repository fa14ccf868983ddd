"""The corrected Keras layer: a user looks at a history of items.

One file for every backend. It uses keras.ops only, so the same source runs on PyTorch
(the book and its tests) and on TensorFlow (`make tensorflow`). Set KERAS_BACKEND before
Keras is imported.
Source: the chapter on ten mistakes; Vaswani and others, 2017, equation 1.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("recsys")
class HistoryAttention(keras.layers.Layer):
    """Scaled dot-product attention of one user over the items of a history.

    A projected item is both key and value. A history without a real item has weights
    and output zero.

    Args:
        dim: size of the projections and of the output.
    """

    def __init__(self, dim: int, **options):
        super().__init__(**options)
        self.dim = dim
        matrix = {"use_bias": False, "dtype": self.dtype_policy}
        self.item_projection = keras.layers.Dense(dim, **matrix)
        self.user_projection = keras.layers.Dense(dim, **matrix)

    def build(self, items_shape, user_shape, padding_mask_shape=None):
        """Make both matrices, once."""
        self.item_projection.build(items_shape)
        self.user_projection.build(user_shape)

    def call(self, items, user, padding_mask=None):
        """Average the projected items of each row.

        Args:
            items: (batch, length, item_dim).
            user: (batch, user_dim).
            padding_mask: boolean (batch, length), True = real item.

        Returns:
            Output (batch, dim) and weights (batch, length).
        """
        values = self.item_projection(items)  # (batch, length, dim)
        query = self.user_projection(user)  # (batch, dim)
        scores = ops.einsum("bld,bd->bl", values, query) / self.dim**0.5
        if padding_mask is None:
            weights = ops.softmax(scores, axis=-1)  # over the items, (batch, length)
        else:
            attends = ops.any(padding_mask, axis=-1, keepdims=True)  # (batch, 1)
            hidden = ops.logical_and(ops.logical_not(padding_mask), attends)
            weights = ops.softmax(ops.where(hidden, -float("inf"), scores), axis=-1)
            weights = weights * ops.cast(attends, weights.dtype)
        return ops.einsum("bl,bld->bd", weights, values), weights

    def get_config(self):
        """The arguments, so that a saved model can be loaded."""
        return {**super().get_config(), "dim": self.dim}
