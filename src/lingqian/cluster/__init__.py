"""Cluster: many processes on one database, and how they know each other (多进程)."""
