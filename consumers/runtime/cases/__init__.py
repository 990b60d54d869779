"""Cases: facts about money that do not fit, open until a person or a later fact settles them."""
