"""Where somebody speaks, and how the speech is cut into chunks."""
