"""Notifications about payments, payouts and subscriptions, once per change and channel."""
