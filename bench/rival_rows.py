"""What rivals.py trains: the settings tried on validation, and those that read the test."""

BUDGET = 600  # seconds of one core for each training

RECBOLE = {"MAX_ITEM_LIST_LENGTH": 50, "loss_type": "CE"}  # the library's defaults, written out

# RecTools' settings were chosen among these, by nDCG@10 on validation, trained on train alone.
SEARCH = [
    {"name": "64 factors", "tool": "rectools", "settings": {"n_factors": 64},
     "epochs": [10, 20, 30, 40], "seconds": 300},
    {"name": "64 factors, batches of 16", "tool": "rectools",
     "settings": {"n_factors": 64, "batch_size": 16}, "epochs": [3, 6, 9, 12, 16, 20, 25, 30], "seconds": 160},
    {"name": "64 factors, batches of 16, length 200", "tool": "rectools",
     "settings": {"n_factors": 64, "batch_size": 16, "session_max_len": 200},
     "epochs": [3, 6, 9, 12, 16, 20], "seconds": 160},
    {"name": "256 factors, batches of 16", "tool": "rectools",
     "settings": {"batch_size": 16}, "epochs": [2, 4, 6, 8, 10], "seconds": 160},
]  # fmt: skip

# ``final``: the epoch whose lists count, None for the last that fits into the budget.
RIVALS = [
    {"name": "64 factors", "tool": "rectools", "settings": {"n_factors": 64},
     "epochs": [10, 20, 30, 40, 60, 80, 100], "final": 60, "seconds": BUDGET, "seeds": [0]},
    {"name": "64 factors, batches of 16", "tool": "rectools",
     "settings": {"n_factors": 64, "batch_size": 16},
     "epochs": [3, 6, 9, 12, 16, 20, 25, 30], "final": 25, "seconds": BUDGET, "seeds": [0]},
    {"name": "defaults", "tool": "rectools", "settings": {},
     "epochs": [3, 6, 10, 15, 20, 30, 40, 60], "final": None, "seconds": BUDGET, "seeds": [0]},
    {"name": "defaults", "tool": "recbole", "settings": RECBOLE,
     "epochs": [300], "final": None, "seconds": BUDGET, "seeds": [0]},
    {"name": "batches of 256, dropout .2", "tool": "recbole",
     "settings": RECBOLE | {"train_batch_size": 256, "hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2},
     "epochs": [300], "final": None, "seconds": BUDGET, "seeds": [0]},
]  # fmt: skip
