"""Compliance: limits as rows with their source."""
