"""The lane and what it stands on: schema, adapters, the vault of keys, published heads, backup."""
