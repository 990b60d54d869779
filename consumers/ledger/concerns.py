"""Reasons why an event is not booked and an operator should look at it."""

CALLED_OFF_AFTER_PAID = "called_off_after_paid"
"""The gateway reports a paid payment as failed, expired or cancelled. The books do not change."""

OTHER_CURRENCY = "other_currency"
"""Known money was reported again in another currency. The first currency counts."""
