"""Red packets (红包): kinds, split, claim, expiry, covers and proof."""
