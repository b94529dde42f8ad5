"""Numbered schema steps for the MySQL protocol, each statement safe to run twice."""
