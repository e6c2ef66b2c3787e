"""Who spoke: errors, time and memory of the diarizer."""
