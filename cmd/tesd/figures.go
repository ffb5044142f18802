package main

import (
	"errors"

	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/cmd/internal/metrics"
	"github.com/tns-project/tns/evpn"
)

// figures is what tesd counts.
func (b *backend) figures() []metrics.Figure {
	s := b.agent.Snapshot()
	n := s.Stats
	figures := []metrics.Figure{
		metrics.Count("tes_no_answers_total", "Response times that passed without an answer.", n.NoAnswers),
		metrics.Count("tes_retries_total", "Requests that repeat one.", n.Retries),
		metrics.Count("tes_restores_total", "Requests that someone had removed and that were put back.", n.Restores),
		metrics.Count("tes_beacons_total", "Beacons sent.", n.Beacons),
		metrics.Count("tes_resends_total", "Times that all routes were sent again.", n.Resends),
		metrics.Count("tes_dry_runs_total", "Dry runs.", n.DryRuns),
		metrics.Count("tes_store_errors_total", "Wishes that could not be stored.", n.StoreErrors),
		metrics.Count("tes_ignored_total", "Routes of peers that are no response to us.", n.Ignored),
	}
	for op := evpn.PreAssociate; op <= evpn.Terminate; op++ {
		figures = append(figures, metrics.Count("tes_requests_total", "Requests announced, by operation.", n.Requests[op], metrics.Label{Name: "op", Value: op.String()}))
	}
	for reason, count := range n.Responses {
		figures = append(figures, metrics.Count("tes_responses_total", "Complete answers, by reason; none is success.", count,
			metrics.Label{Name: "reason", Value: evpn.Reason(reason).String()}))
	}
	figures = append(figures, metrics.Count("tes_tags_failed_total", "Local tags that could not be applied.", n.TagsFailed))
	states := [evpn.StateTerminated + 1]int{}
	waiting := 0
	for _, v := range s.VMs {
		states[v.State]++
		if v.Waiting {
			waiting++
		}
	}
	for state, count := range states {
		figures = append(figures, metrics.Gauge("tes_vms", "VMs, by acknowledged state.", count, metrics.Label{Name: "state", Value: evpn.State(state).String()}))
	}
	figures = append(figures, metrics.Gauge("tes_vms_waiting", "VMs whose request is not answered yet.", waiting))
	return append(figures, api.SpeakerFigures("nve", b.speaker)...)
}

// ready: tesd does its job while an edge hears it.
func (b *backend) ready() error {
	for _, s := range b.agent.Snapshot().Sessions {
		if s.Up {
			return nil
		}
	}
	return errors.New("no session to any NVE")
}
