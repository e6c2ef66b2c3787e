"""The pipeline behind the `transcribe` model: chunk in, segments with word times out. Free of Triton imports."""
