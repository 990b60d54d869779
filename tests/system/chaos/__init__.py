"""System tests of programs that are killed again and again."""
