"""Tests of `payrouter doctor`: how each answer is judged."""
