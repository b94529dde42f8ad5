"""Command line: what a person types; the only reader of the environment."""
