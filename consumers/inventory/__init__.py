"""The inventory: stock reserved by orders, committed by payments, released if none comes."""
