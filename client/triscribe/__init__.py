"""Triscribe: speech to text with a time for every word, served by Triton over gRPC."""
