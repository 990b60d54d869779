"""What must hold: checked at every commit, and at the end of a schedule."""
