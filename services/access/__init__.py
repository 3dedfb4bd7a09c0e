"""Who may ask, how often and how much: tokens, codes, rates, limits, and the trail of who asked."""
