"""What every consumer and every provider has to bear, whoever wrote it."""
