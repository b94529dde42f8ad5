"""Storage: the lane, the schema and the adapters that hold them."""
