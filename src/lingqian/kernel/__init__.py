"""Kernel: words shared by all rooms: money, ids, clock, chance, codes, state machines, bounds."""
