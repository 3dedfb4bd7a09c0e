"""The doors: one function for each thing that can be asked, in the transaction that accepts it."""
