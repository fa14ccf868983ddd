"""Planted data whose truth is known, to hold a model against it.

`interests` has viewers with several interests at once, as sequences; `readers` has readers
of real articles, as impressions with the reason of each click; `bounds` has what the best
reader of a planted history could know. Import from the modules.
"""
