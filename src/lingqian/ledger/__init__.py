"""The ledger: chart of accounts, accounts, postings, holds, journal records and their fold."""
