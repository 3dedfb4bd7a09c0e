//go:build tools

// Package tools pins kwok, whose simulated nodes and pods the tests use. `make kubernetes` builds it from here.
// It is a module of its own because it needs other versions of the Kubernetes libraries than the control plane.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
