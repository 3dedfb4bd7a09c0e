"""The monitor on real parts: providers, PostgreSQL, kernels, and the decision table over its whole domain."""
