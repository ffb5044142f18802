package backend

import (
	"context"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/cmd/internal/metrics"
	"github.com/tns-project/tns/speaker"
)

// SpeakerFigures is what is told of a speaker, by plane.
func SpeakerFigures(plane string, s *bgp.Speaker) []metrics.Figure {
	p := metrics.Label{Name: "plane", Value: plane}
	n := s.Stats()
	figures := []metrics.Figure{
		metrics.Count("bgp_received_total", "Routes and withdrawals of types 2 and 3 that peers sent.", n.Received, p),
		metrics.Count("bgp_skipped_total", "Routes of other types that peers sent.", n.Skipped, p),
		metrics.Count("bgp_refused_total", "Routes that could not be read.", n.Refused, p),
		metrics.Count("bgp_treated_as_withdraw_total", "UPDATEs whose routes were withdrawn for an error in them (RFC 7606).", n.TreatedAsWithdraw, p),
		metrics.Count("bgp_ignored_total", "UPDATEs, or attributes of them, that were dropped for an error.", n.Ignored, p),
		metrics.Count("bgp_unsent_total", "UPDATEs that could not be sent.", n.Unsent, p),
		metrics.Count("bgp_announced_total", "Routes announced.", n.Announced, p),
		metrics.Count("bgp_withdrawn_total", "Routes withdrawn.", n.Withdrawn, p),
		metrics.Count("bgp_restored_total", "Routes of ours that someone had removed and that were put back.", n.Restored, p),
		metrics.Gauge("bgp_queue", "Events that wait to be handled.", n.Queue, p),
	}
	sessions, err := s.Sessions()
	if err != nil {
		return figures // the speaker is not open yet, or its guard is not there
	}
	for _, l := range sessions {
		peer := metrics.Label{Name: "peer", Value: l.Peer.String()}
		figures = append(figures,
			metrics.Flag("bgp_session_up", "Whether the session is established.", established(l), p, peer),
			metrics.Gauge("bgp_session_routes", "Routes that stand in Adj-RIB-In.", l.Routes, p, peer),
			metrics.Count("bgp_session_updates_received_total", "UPDATEs received on the session.", l.Received, p, peer),
			metrics.Count("bgp_session_updates_sent_total", "UPDATEs sent on the session.", l.Sent, p, peer),
		)
	}
	peers, totals, err := s.Peers(context.Background())
	if err != nil {
		return figures
	}
	figures = append(figures, metrics.Count("guard_strangers_total", "Connections refused before a word: no peer is configured there, or it is too far away.",
		totals.Strangers, p),
		metrics.Count("guard_crowded_total", "Connections refused because there were as many neighbours of prefixes as there may be.", totals.Crowded, p))
	for _, g := range peers {
		peer := metrics.Label{Name: "peer", Value: g.Peer.String()}
		figures = append(figures,
			metrics.Count("guard_filtered_total", "Things in what the peer sent that were not let through as they were (RFC 7606).", g.Filtered, p, peer),
			metrics.Count("guard_refused_total", "Of these, UPDATEs or routes that count as withdrawn, were skipped, or reset the session.", g.Refused, p, peer),
			metrics.Count("guard_sessions_total", "Sessions with the peer that were established.", g.Sessions, p, peer),
			metrics.Count("guard_engines_total", "Engines that were told of the session.", g.Engines, p, peer),
		)
	}
	return figures
}

func established(s speaker.Session) bool { return s.State == "established" }
