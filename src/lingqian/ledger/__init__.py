"""Ledger (账本): accounts, the chart of three tiers, postings, holds, the journal and its fold."""
