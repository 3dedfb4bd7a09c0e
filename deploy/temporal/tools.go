//go:build tools

// Package tools pins the Temporal CLI, which `berth up` runs as its dev server and operators use as their tool.
// `berth up` builds it from here where no released binary can be had:
//
//	CGO_ENABLED=0 go build -ldflags "-s -w" -o temporal github.com/temporalio/cli/cmd/temporal
package tools

import _ "github.com/temporalio/cli/cmd/temporal"
