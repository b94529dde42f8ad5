"""Events: the tail of the journal, and what is pushed to others from it."""
