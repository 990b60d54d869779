"""Bodies of Pulse2Pay: one of its developer docs, one of its glossary page."""
