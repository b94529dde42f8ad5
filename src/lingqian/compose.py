"""Compose: the only place that picks real adapters."""
