"""`python -m consumers`: the whole command."""

from consumers.cli import main

if __name__ == "__main__":
    main()
