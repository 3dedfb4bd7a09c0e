//go:build tools

// Package tools pins the Kubernetes control plane that Berth is tested against. `make kubernetes` builds it from
// here, once, into ~/.cache/berth; kwok/ pins the simulated nodes and stages/ says how they behave.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
)
