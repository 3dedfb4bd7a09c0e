"""How a worker lives: what it serves, the locks that make it the only one, and the providers it keeps an eye on.

Composed by `worker.py`. A worker without options does everything; an agent stands where a host or a provider's
credentials are, and does only what needs them.
"""
