"""Lingqian (零钱): an open wallet platform on one double-entry ledger."""

__version__ = "0.1.0.dev0"
