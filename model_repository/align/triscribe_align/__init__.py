"""Forced alignment: a time for every written word of a chunk of speech. Free of Triton imports."""
