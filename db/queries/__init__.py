"""Reads for lists and single records: explicit columns, keyset pages, no ORM objects, no query per row."""
