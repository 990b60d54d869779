"""Cases: facts about money that do not fit, open until an operator or a later fact settles them."""
