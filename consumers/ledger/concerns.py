"""What is not booked and a person should look at: the words for it."""

CALLED_OFF_AFTER_PAID = "called_off_after_paid"
"""A gateway called failed, expired or cancelled what it had called paid. The books stay."""

OTHER_CURRENCY = "other_currency"
"""Money that is known came again in another currency. The first one stands."""
