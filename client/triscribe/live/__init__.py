"""Live audio to results."""
