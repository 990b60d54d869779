"""The notifications: messages to operators and customers, one per change and channel."""
