"""Unit tests of the parts that tests share."""
