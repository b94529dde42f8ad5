"""The benchmark: ratios taken in one run, against bounds and rivals anyone can run (基准)."""
