"""Readers: from the files of one source to the tables."""
