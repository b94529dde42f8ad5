"""Payment channels: one port, a folder per channel; a channel keeps no state and moves no money."""
