"""`python -m router`: the edge's commands."""

from router.commands.cli import main

if __name__ == "__main__":
    main()
