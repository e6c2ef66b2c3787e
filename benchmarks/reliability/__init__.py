"""Faults, hostile input, long runs."""
