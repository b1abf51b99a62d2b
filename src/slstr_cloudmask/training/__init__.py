"""Packing scenes, drawing batches, and the one linear training loop."""
