"""The chaos run's pure parts: plan, oracle, verdict, report."""
