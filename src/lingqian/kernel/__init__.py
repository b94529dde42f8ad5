"""Words shared by all rooms: ids, clock, chance, codes, machines, bounds, faults."""
