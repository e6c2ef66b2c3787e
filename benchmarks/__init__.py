"""Measurements, by subject. `python -m benchmarks` lists them."""
