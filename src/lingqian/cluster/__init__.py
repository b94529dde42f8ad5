"""Many processes on one database: who does what, and how they know each other (集群)."""
