"""Runs the command; see `tests.simulation.command.main`."""

import sys

from tests.simulation.command.main import main, with_fixed_hashes

if __name__ == "__main__":
    with_fixed_hashes()
    sys.exit(main(sys.argv[1:]))
