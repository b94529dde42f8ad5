"""Risk: rules and the verdict they add up to."""
