"""The client's side of Triton."""
