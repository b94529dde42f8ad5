"""Many processes on one database: who does what, and how the others find him (集群)."""
