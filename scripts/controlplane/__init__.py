"""A Kubernetes control plane on this machine, for tests and for trying Berth's kubernetes provider.

The API server, scheduler and controller manager are the real ones, built once from deploy/controlplane; etcd comes
from the system; nodes and pods are kwok's. `make kubernetes` runs it, tests/support/kubernetes.py starts it.
"""
