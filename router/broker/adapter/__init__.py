"""Adapter to aiokafka: requests that it lacks, and access to its private parts."""
