"""Evaluation: asking a model every question of a set, and what its answers amount to, cell by cell."""
