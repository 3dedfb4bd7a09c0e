"""Billing's word: kept, ordered by its own time, and what follows from it."""
