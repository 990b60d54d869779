"""The topic contract: the needs of each topic; compares, creates, alters and watches topics."""
