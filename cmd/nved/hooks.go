package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tns-project/tns/cmd/internal/metrics"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/nve/hook"
)

// hooksOf is the hooks of the configuration.
func hooksOf(c *config.NVE) ([]hook.Hook, error) {
	var hooks []hook.Hook
	for _, h := range c.Hooks {
		client, err := hook.NewClient(h.CAs, h.Timeout)
		if err != nil {
			return nil, fmt.Errorf("hook %s: %w", h.Name, err)
		}
		one := hook.Hook{
			URL: h.URL, Name: h.Name, Refusals: h.Refusals, Secret: h.Secret, Client: client, Retries: h.Retries, Backoff: h.Backoff, Queue: h.Queue,
		}
		for _, word := range h.Events {
			event, ok := nve.ParseNotable(word)
			if !ok {
				return nil, fmt.Errorf("hook %s: event %q is not known", h.Name, word)
			}
			one.Events = append(one.Events, event)
		}
		hooks = append(hooks, one)
	}
	return hooks, nil
}

// hookFigures is how far hooks have been told.
func hookFigures(all map[string]hook.Stats) []metrics.Figure {
	var figures []metrics.Figure
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s, label := all[name], metrics.Label{Name: "hook", Value: name}
		figures = append(figures,
			metrics.Count("hook_sent_total", "Notices that the hook took.", s.Sent, label),
			metrics.Count("hook_retried_total", "Attempts that failed and are made again.", s.Retried, label),
			metrics.Count("hook_failed_total", "Notices that were given up.", s.Failed, label),
			metrics.Count("hook_dropped_total", "Notices that were pushed out of a full queue.", s.Dropped, label),
			metrics.Gauge("hook_queue", "Notices that wait.", s.Waiting, label),
		)
	}
	return figures
}
