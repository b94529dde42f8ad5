"""Routes: one file per resource, each a few functions and a table of operations."""
