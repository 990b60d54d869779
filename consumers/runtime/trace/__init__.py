"""Finds one payment everywhere: events, postings, held records and refused deliveries."""
