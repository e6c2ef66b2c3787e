"""What breaks on request, and what becomes of the calls."""
