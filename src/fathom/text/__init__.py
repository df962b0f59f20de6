"""Algorithms on text: tokens, vocabularies, counts, sampling, scores."""
