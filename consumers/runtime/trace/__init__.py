"""Traces one payment: events, postings, held records and refused deliveries."""
