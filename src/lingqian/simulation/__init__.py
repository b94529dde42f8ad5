"""Simulation: one seed is one world, with an auditor that has its own model."""
