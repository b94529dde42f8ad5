"""Bench: what the real product does on this machine, against its rivals, in one run."""
