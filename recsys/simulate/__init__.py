"""Planted data whose truth is known: interests, readers, drift."""
