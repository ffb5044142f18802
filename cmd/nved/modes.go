package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane"
)

// checkModes tells which ports have a mode that this kernel cannot, and which it can. Without root nothing can be tried, and nothing is told.
func checkModes(ctx context.Context, c *config.NVE, try func(context.Context) map[dataplane.Mode]error) error {
	if c == nil || !slices.ContainsFunc(c.Ports, func(p config.Port) bool { return p.Mode.Tagged() }) {
		return nil
	}
	tried := try(ctx)
	if tried[dataplane.Access] != nil {
		return nil
	}
	var can []string
	for _, m := range slices.Sorted(maps.Keys(tried)) {
		if tried[m] == nil {
			can = append(can, m.String())
		}
	}
	var errs []error
	for i, p := range c.Ports {
		m := dataplane.Mode(p.Mode)
		if why := tried[m]; p.Mode.Tagged() && why != nil {
			errs = append(errs, fmt.Errorf("ports[%d].mode: %v: this kernel cannot: %w; want one that it can: %s", i, m, why, strings.Join(can, ", ")))
		}
	}
	return errors.Join(errs...)
}
