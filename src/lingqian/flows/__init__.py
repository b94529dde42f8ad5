"""What crosses rooms: commands, the gate, and one short script per business action. Still pure."""
