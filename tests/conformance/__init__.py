"""Tests that every consumer and every provider must pass, including those of other authors."""
