"""How right: texts, word times, what is written where nobody speaks."""
