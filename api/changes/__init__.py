"""From what was asked to the door of `services.requests` that accepts it, in one transaction."""
