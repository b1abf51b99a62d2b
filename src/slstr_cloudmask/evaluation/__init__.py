"""Counts that add, and the scores that come from them."""
