package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/cmd/internal/metrics"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
)

// askTime is how long the edge's loop may take to answer a scrape.
const askTime = 5 * time.Second

// figures is what nved counts. If the edge does not answer, its figures are missing: a scrape that says less is better than none.
func (b *backend) figures() []metrics.Figure {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	figures := append(b.tableFigures(), metrics.Flag("nve_store_failing", "Whether the state cannot be written to disk.", b.state.Failing()))
	if s, err := b.edge.Stats(ctx); err == nil {
		figures = append(figures, edgeFigures(s)...)
	}
	figures = append(figures, hookFigures(b.hooks.Stats())...)
	for _, p := range b.planes() {
		figures = append(figures, api.SpeakerFigures(p.name, p.speaker)...)
	}
	return figures
}

func edgeFigures(n nve.Stats) []metrics.Figure {
	figures := []metrics.Figure{
		metrics.Count("nve_requests_total", "Request routes received, repetitions included.", n.Requests),
		metrics.Count("nve_malformed_total", "Requests, beacons and routes that could not be read.", n.Malformed),
		metrics.Count("nve_ignored_total", "Routes that were not for this edge.", n.Ignored),
		metrics.Count("nve_incomplete_total", "Sets of routes that were not whole in time.", n.Incomplete),
		metrics.Count("nve_beacons_total", "Beacons received.", n.Beacons),
		metrics.Count("nve_digest_mismatches_total", "Beacons whose digest was not ours.", n.DigestMismatches),
		metrics.Count("nve_transitions_total", "Changes of an association's state.", n.Transitions),
		metrics.Count("nve_immigrations_total", "VMs that came from another hypervisor.", n.Immigrations),
		metrics.Count("nve_orphaned_total", "Times that an association was marked orphaned.", n.Orphaned),
		metrics.Count("nve_alarms_total", "Alarms.", n.Alarms),
		metrics.Count("nve_duplicate_macs_total", "MACs that were frozen as duplicates.", n.DuplicateMACs),
		metrics.Count("nve_duplicate_tes_total", "TES-IDs found alive from two addresses.", n.DuplicateTESs),
		metrics.Count("nve_kernel_errors_total", "Requests that the kernel refused.", n.KernelErrors),
		metrics.Count("nve_fabric_announced_total", "Routes announced to the fabric.", n.FabricAnnounced),
		metrics.Count("nve_fabric_withdrawn_total", "Routes withdrawn from the fabric.", n.FabricWithdrawn),
		metrics.Count("nve_express_foreign_total", "Routes of express sessions that were not that edge's own, and ignored.", n.ExpressForeign),
		metrics.Gauge("nve_express_edges", "Edges that express sessions are opened to.", n.Edges),
		metrics.Count("nve_tag_changes_total", "Changes of the VID of a VN on a segment.", n.TagChanges),
		metrics.Count("nve_tags_failed_total", "Local tags that a TES answered it could not apply.", n.TagsFailed),
		metrics.Count("nve_tags_unanswered_total", "Local tags that a TES did not answer to in 30 s.", n.TagsUnanswered),
		metrics.Gauge("nve_tags_waiting", "Local tags that TESs have not answered to.", n.Waiting),
		metrics.Gauge("nve_tags_failed", "Local tags that TESs could not apply.", n.Failed),
		metrics.Gauge("nve_orphans", "Associations that are orphaned.", n.Orphans),
		metrics.Gauge("nve_macs", "MACs known, local and remote.", n.Stations),
		metrics.Flag("nve_ready", "Whether the start is over.", n.Ready),
	}
	for _, why := range slices.Sorted(maps.Keys(n.EdgesRefused)) {
		figures = append(figures, metrics.Count("nve_express_refused_total", "EDGEs of other edges that were not followed, by reason.", n.EdgesRefused[why],
			metrics.Label{Name: "reason", Value: why.String()}))
	}
	for state := evpn.StateNull; state <= evpn.StateTerminated; state++ {
		figures = append(figures, metrics.Gauge("nve_vms", "Associations, by state.", n.Records[state], metrics.Label{Name: "state", Value: state.String()}))
	}
	for _, a := range slices.SortedFunc(maps.Keys(n.Responses), func(a, b nve.Answered) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
	}) {
		figures = append(figures, metrics.Count("nve_responses_total", "Responses, by status and reason.", n.Responses[a],
			metrics.Label{Name: "status", Value: a.Status.String()}, metrics.Label{Name: "reason", Value: a.Reason.String()}))
	}
	for _, u := range slices.SortedFunc(maps.Keys(n.Unauthorized), func(a, b nve.Unauthorized) int {
		return cmp.Or(cmp.Compare(a.TES, b.TES), cmp.Compare(a.Reason, b.Reason))
	}) {
		tes := "other"
		if u.TES != 0 {
			tes = u.TES.String()
		}
		figures = append(figures, metrics.Count("nve_authorization_failures_total", "Routes of requests, dry runs too, that were refused for want of authorization, by TES and reason.",
			n.Unauthorized[u], metrics.Label{Name: "tes", Value: tes}, metrics.Label{Name: "reason", Value: u.Reason.String()}))
	}
	for _, u := range n.Used {
		of := []metrics.Label{
			{Name: "resource", Value: resourceWords[u.Resource]}, {Name: "vn", Value: u.VN}, {Name: "tenant", Value: u.Tenant}, {Name: "tes", Value: tesOf(u.Account)},
			{Name: "port", Value: u.Port},
		}
		figures = append(figures, metrics.Gauge("nve_reserved", "What is reserved, by resource and whose it is; no label but resource is the whole edge's.", u.Used, of...))
		if u.Limit > 0 {
			figures = append(figures, metrics.Gauge("nve_reservable", "The limit of what can be reserved, where there is one.", u.Limit, of...))
		}
	}
	return figures
}

// kindWords is the label of a kind of entry.
var kindWords = map[tnsv1.FDBEntry_Kind]string{
	tnsv1.FDBEntry_KIND_LOCAL:    "local",
	tnsv1.FDBEntry_KIND_REMOTE:   "remote",
	tnsv1.FDBEntry_KIND_FLOOD:    "flood",
	tnsv1.FDBEntry_KIND_NEIGHBOR: "neighbor",
	tnsv1.FDBEntry_KIND_PORT:     "port",
}

// tableFigures is what is told of the forwarding table.
func (b *backend) tableFigures() []metrics.Figure {
	n := b.table.Stats()
	figures := []metrics.Figure{
		metrics.Count("fdb_writes_total", "Entries set in the kernel.", n.Writes),
		metrics.Count("fdb_deletes_total", "Entries removed from the kernel.", n.Deletes),
		metrics.Count("fdb_pruned_total", "Entries of ours that nobody asked for, removed.", n.Pruned),
		metrics.Count("fdb_errors_total", "Entries, and listings, that the kernel refused.", n.Errors),
		metrics.Count("fdb_full_passes_total", "Comparisons with the whole of the kernel's tables.", n.FullPasses),
	}
	entries := map[string]int{}
	missing := 0
	for _, e := range b.table.Table() {
		if e.Kind == dataplane.Policy || e.Kind == dataplane.Tag {
			entries[e.Kind.String()]++
		} else {
			entries[kindWords[b.viewEntry(e).Kind]]++
		}
		if !e.InKernel {
			missing++
		}
		if e.Kind == dataplane.Port {
			figures = append(figures, metrics.Count("fdb_port_drops_total", "Frames dropped because their source address, or what they say by ARP or neighbour discovery, is not active on the port, in a VN.", e.Drops,
				metrics.Label{Name: "port", Value: e.Key.Port}, metrics.Label{Name: "vni", Value: strconv.Itoa(int(e.VNI))}))
		}
	}
	for k, n := range b.table.Drops() {
		if k.Kind == dataplane.Tag {
			figures = append(figures, metrics.Count("fdb_tag_drops_total", "Frames dropped on a tagged port because they bore no tag, or a VID of no VN.", n,
				metrics.Label{Name: "port", Value: k.Port}))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(entries)) {
		figures = append(figures, metrics.Gauge("fdb_entries", "Entries that the kernel should hold, by kind.", entries[kind], metrics.Label{Name: "kind", Value: kind}))
	}
	return append(figures, metrics.Gauge("fdb_missing", "Entries that the kernel should hold and does not.", missing))
}

// ready: nved does its job when its start is over.
func (b *backend) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	s, err := b.edge.Stats(ctx)
	if err != nil {
		return fmt.Errorf("the edge does not answer: %w", err)
	}
	if !s.Ready {
		return errors.New("starting: waiting for the peers' tables")
	}
	return nil
}
