"""Names of languages, which one is spoken where, and how it is written."""
