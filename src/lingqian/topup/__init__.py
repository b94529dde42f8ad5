"""Top-up: orders, attempts, evidence, fees, coins and refunds as nouns and tables (充值)."""
