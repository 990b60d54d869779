"""System tests of `payrouter dev` and the commands next to it."""
