"""Flows: what crosses rooms: the gate, and one short script per business action."""
