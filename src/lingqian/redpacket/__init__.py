"""Red packets: what they are, how they split, who may claim, and how all of it is proven."""
