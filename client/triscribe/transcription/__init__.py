"""A recording to a transcript."""
