"""People at the console and what they may see: roles, passwords, sessions, masking."""
