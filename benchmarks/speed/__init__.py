"""How fast: against other engines, and what each choice buys."""
