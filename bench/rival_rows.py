"""What rivals.py trains: the settings tried on validation, and those that read the test."""

from recsys.evaluation import draws

BUDGET = 600  # seconds of one core for each training

RECBOLE = {"MAX_ITEM_LIST_LENGTH": 50, "loss_type": "CE"}  # the library's defaults, written out

# Random settings of RecTools, as many as each of our arms has on this log, with its learning rate
# among them; chosen with the epoch, by nDCG@10 on validation, trained on train alone, one seed.
RECTOOLS_SPACE = {
    "n_factors": [32, 64, 128],
    "n_blocks": [1, 2],
    "n_heads": [1, 2, 4],
    "dropout_rate": [0.1, 0.2, 0.3, 0.5],
    "session_max_len": [50, 100, 200],
    "batch_size": [16, 32, 64],
    "lr": {"from": 0.0003, "to": 0.01},
}
EPOCHS = [3, 6, 9, 12, 16, 20, 25, 30, 40, 60, 80, 100]
SEARCH_BUDGET = 150  # seconds of one core for each
N_SETTINGS, DRAW_SEED = 12, 12


def search():
    """What is tried on validation."""
    drawn = draws(RECTOOLS_SPACE, N_SETTINGS, DRAW_SEED)
    return [
        {"name": f"setting {place}", "tool": "rectools", "settings": settings,
         "epochs": EPOCHS, "seconds": SEARCH_BUDGET}
        for place, settings in enumerate(drawn)
    ]  # fmt: skip


def tuned(tried):
    """The run that reads the test: the best point of any curve on validation.

    Args:
        tried: rows of the search.
    """
    points = [(point["ndcg10"], -point["epochs"], row) for row in tried for point in row["curve"]]
    _, epochs, best = max(points, key=lambda one: one[:2])
    return {"name": "tuned", "tool": "rectools", "settings": best["settings"], "epochs": [-epochs],
            "final": -epochs, "seconds": 10 * BUDGET, "seeds": [0, 1, 2, 3, 4]}  # fmt: skip


# ``final``: the epoch whose lists count, None for the last that fits into the budget.
RIVALS = [
    {"name": "defaults", "tool": "recbole", "settings": RECBOLE,
     "epochs": [300], "final": None, "seconds": BUDGET, "seeds": [0]},
    {"name": "batches of 256, dropout .2", "tool": "recbole",
     "settings": RECBOLE | {"train_batch_size": 256, "hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2},
     "epochs": [300], "final": None, "seconds": BUDGET, "seeds": [0]},
]  # fmt: skip
