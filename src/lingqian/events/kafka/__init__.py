"""Apache Kafka beside the ledger: a bus that may be lost (Kafka 总线)."""
