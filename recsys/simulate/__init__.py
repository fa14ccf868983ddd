"""Planted data whose truth is known, to hold a model against it.

`interests` has viewers with several interests at once, as sequences; `readers` has readers
of real articles, as impressions with the reason of each click. Import from the modules.
"""
