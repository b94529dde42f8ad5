"""The kit: what an integrator needs to follow our events none lost, none twice (接入工具)."""
