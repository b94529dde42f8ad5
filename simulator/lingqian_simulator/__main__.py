"""`python -m lingqian_simulator` is the command `lingqian-simulator`."""

from lingqian_simulator.command import main

main()
