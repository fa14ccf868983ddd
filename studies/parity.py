"""Whole trainings in both frameworks: does the choice of one change what a reader is shown?

Every network that ranks is trained from PyTorch's first weights, on the same batches, with the
same negatives and dropout's masks, once in each framework and once more in PyTorch held to
kernels without vector instructions (its matrix products, MKL's, stay). The last is the control, a
mild one: where PyTorch parts from itself, so may PaddlePaddle. A kink (relu, DIN's activation) or a tie (max) makes rounding grow, so those
networks are trained in float64 too.
"""

import multiprocessing
from tempfile import TemporaryDirectory

import numpy as np

from recsys.book.parity.trainings import dtypes, in_paddle, in_torch, kept

DATA = ["movielens-100k", "ta-feng", "lee-news", "wordllama"]
PAIRS = {"epochs": 2, "learning_rate": 0.01, "clip_norm": 10.0}
CONFIG = {
    "networks": {
        "SASRec, attention": ["SASRec", "films", {"epochs": 4}],
        "SASRec, decay": ["SASRec", "films", {"mixer": "decay"}],
        "SASRec, mean": ["SASRec", "films", {"mixer": "mean"}],
        "SASRec, last": ["SASRec", "films", {"mixer": "last"}],
        "SASRec, content": ["SASRec", "films", {"mixer": "content"}],
        "SASRec, linear": ["SASRec", "films", {"mixer": "linear"}],
        "SASRec, gate": ["SASRec", "films", {"mixer": "gate"}],
        "SASRec, recurrent": ["SASRec", "films", {"mixer": "recurrent"}],
        "SASRec, sampled": ["SASRec", "films", {"negatives": 256}],
        "dot product": ["dot product", "films", {}],
        "GMF": ["GMF", "films", {}],
        "MLP": ["MLP", "films", {}],
        "NeuMF": ["NeuMF", "films", {}],
        "factorisation": ["factorisation", "films", {}],
        "history attention": ["history attention", "films", {}],
        "history attention, content": [
            "history attention",
            "films",
            {"pooling": "content"},
        ],
        "history attention, decay": [
            "history attention",
            "films",
            {"pooling": "decay"},
        ],
        "history attention, mean": ["history attention", "films", {"pooling": "mean"}],
        "target ranker, none": ["target ranker", "shop", {"pooling": "none"}],
        "target ranker, mean": ["target ranker", "shop", {"pooling": "mean"}],
        "target ranker, max": ["target ranker", "shop", {"pooling": "max"}],
        "target ranker, last": ["target ranker", "shop", {"pooling": "last"}],
        "target ranker, decay": ["target ranker", "shop", {"pooling": "decay"}],
        "target ranker, sum": ["target ranker", "shop", {"pooling": "sum"}],
        "target ranker, sum over root n": [
            "target ranker",
            "shop",
            {"pooling": "sum over root n"},
        ],
        "target ranker, dot": ["target ranker", "shop", {"pooling": "dot"}],
        "target ranker, dot and log n": [
            "target ranker",
            "shop",
            {"pooling": "dot and log n"},
        ],
        "target ranker, sigmoid sum": [
            "target ranker",
            "shop",
            {"pooling": "sigmoid sum"},
        ],
        "target ranker, din": ["target ranker", "shop", {"pooling": "din"}],
        "target ranker, din over root n": [
            "target ranker",
            "shop",
            {"pooling": "din over root n"},
        ],
        "target ranker, dot and repeats": [
            "target ranker",
            "shop",
            {"pooling": "dot", "repeats": True},
        ],
        "next basket, mean": ["next basket", "baskets", {"pooling": "mean"}],
        "next basket, newest": ["next basket", "baskets", {"pooling": "newest"}],
        "next basket, decay": ["next basket", "baskets", {"pooling": "decay"}],
        "next basket, content": ["next basket", "baskets", {"pooling": "content"}],
        "next basket, softmax": ["next basket", "baskets", {"pooling": "softmax"}],
        "next basket, sum": ["next basket", "baskets", {"pooling": "sum"}],
        "NRMS, self": ["NRMS", "newsroom", {"reader": "self"}],
        "NRMS, target": ["NRMS", "newsroom", {"reader": "target"}],
        "NRMS, mean": ["NRMS", "newsroom", {"reader": "mean"}],
        "NRMS, decay": ["NRMS", "newsroom", {"reader": "decay"}],
    },
    "in float64 too": [
        "MLP",
        "NeuMF",
        "target ranker, max",
        "target ranker, din",
        "target ranker, din over root n",
    ],
    "of all": {
        "SASRec": {"epochs": 2, "learning_rate": 0.008},
        "dot product": PAIRS,
        "GMF": PAIRS,
        "MLP": PAIRS,
        "NeuMF": PAIRS,
        "factorisation": {"epochs": 15, "learning_rate": 0.02, "clip_norm": 10.0},
        "history attention": {"epochs": 2, "learning_rate": 0.01},
        "target ranker": {"epochs": 2, "learning_rate": 0.015, "weight_decay": 0.01},
        "next basket": {"epochs": 1, "learning_rate": 0.01},
        "NRMS": {"dim": 32, "epochs": 5, "learning_rate": 0.01},
    },
    "films": {},
    "shop": {"customers": 2000, "negatives": 30, "seed": 102},
    "baskets": {"customers": 1500, "per source": 60},
    "newsroom": {
        "readers": [400, 300],
        "topics": 24,
        "interests": 4,
        "impressions": 20,
        "shown": 5,
        "sharpness": 10,
    },
    "protocol": "Shorter trainings than the chapters': epochs in these settings. Same first weights, batches, "
    "negatives and dropout masks; last weights, one seed. Films: MovieLens 100K, all viewers, leave last "
    "out, fitted on train and validation, full ranking of the films not seen, nDCG@10. Shop: Ta-Feng, the"
    " first 2,000 customers with 3 days, fitted before their last two baskets, AUC within each customer "
    "among the last basket and 30 products drawn by popularity a basket. Baskets: Ta-Feng after the TAIW "
    "filter, the first 1,500 customers, full ranking, the day told, nDCG@10 over all items of the basket."
    " Newsroom: planted readers of the Lee articles, AUC within the slates of strangers. Lists: the 10 "
    "best (newsroom: the order of the slate), equal place by place.",
}


def run(config):
    with TemporaryDirectory() as directory:
        alone(in_torch, config, directory, "PyTorch")
        alone(in_paddle, config, directory, "PaddlePaddle")
        alone(in_torch, config, directory, "control", "default")
        rows = {
            name: {
                dtype: row(directory, name, dtype) for dtype in dtypes(config, name)
            }
            for name in config["networks"]
        }
    return {"networks": rows, "protocol": config["protocol"]}


def alone(function, *arguments):
    """Call a function in a process of its own, which loads one framework."""
    process = multiprocessing.get_context("spawn").Process(
        target=function, args=arguments
    )
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(
            f"{function.__name__}: expected it to end, got exit code {process.exitcode}; see above"
        )


def row(directory, name, dtype):
    """Metrics of the three trainings of a network, and how far two are from the first."""
    first, paddle, control = (
        read(directory, place, name, dtype)
        for place in ("PyTorch", "PaddlePaddle", "control")
    )
    return {
        "metric": str(first["metric"]),
        "steps": int(first["steps"]),
        "lists": len(first["lists"]),
        "PyTorch": mean(first),
        "PaddlePaddle": apart(first, paddle),
        "PyTorch with other kernels": apart(first, control),
    }


def read(directory, place, name, dtype):
    with np.load(kept(directory, place, name, dtype)) as file:
        return dict(file)


def mean(found):
    """The metric over all lists, six digits."""
    return round(float(np.nanmean(found["each"])), 6)


def apart(first, other):
    """The other's metric, its share of equal lists, its weight that is farthest off."""
    equal = (first["lists"] == other["lists"]).all(axis=1)
    farthest = max(
        np.abs(first[key] - other[key]).max() for key in first if "weights/" in key
    )
    return {
        "mean": mean(other),
        "equal lists": round(float(equal.mean()), 4),
        "weights apart": float(f"{farthest:.1e}"),
    }
