"""Recommenders with a network, written once for whichever framework.

A file holds a model's settings, what its network is fed, `fit`, `score`, `save` and
`load`; `recommender` what all share, `held_out` the metric they stop by. Nothing here
loads a framework. The network and its loss stand in `recsys.torch` under the same file
name (that of `news` is `nrms`), beside the class to use: a few lines that name its
engine, network and loss. `recsys.paddle` has its twin, under the same file name.
"""
