"""Compliance: limits (限额) as rows, each with its source."""
