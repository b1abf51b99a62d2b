"""Measures the package against a Keras twin of the reference and the machine: `bench.py`."""
