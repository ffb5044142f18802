package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
)

// CheckReload finds what a running nved cannot change to what the next configuration says, because it needs a restart: who it is, where it can be reached, and
// the sessions with neighbours. The error joins all such keys; nil if there is none.
func CheckReload(file string, before, next *NVE) error {
	var errs []error
	wrong := func(key, what string) {
		errs = append(errs, &Problem{File: file, Key: key, Wrong: what, Right: "restart nved for that, or put it back"})
	}
	for _, k := range []struct {
		key          string
		before, next any
	}{
		{"nve_id", before.ID, next.ID}, {"as", before.AS, next.AS}, {"vtep", before.VTEP, next.VTEP}, {"udp_port", before.UDPPort, next.UDPPort},
		{"listen_port", before.ListenPort, next.ListenPort}, {"listen", before.Listen, next.Listen},
		{"state", before.State, next.State}, {"control", before.Control, next.Control},
		{"gobgp.fabric", before.GoBGPFabric, next.GoBGPFabric}, {"gobgp.tes", before.GoBGPTES, next.GoBGPTES},
		{"guard.user", before.Guard.User, next.Guard.User}, {"record", before.Record, next.Record}, {"startup_hold", before.StartupHold, next.StartupHold},
	} {
		if !reflect.DeepEqual(k.before, k.next) {
			wrong(k.key, fmt.Sprintf("cannot change from %s to %s while nved runs", words(k.before), words(k.next)))
		}
	}
	fabric := func(f FabricPeer) string { return f.Address.String() }
	for _, what := range changes(before.Fabric, next.Fabric, fabric) {
		wrong("fabric", what)
	}
	if !reflect.DeepEqual(before.Express, next.Express) {
		wrong("express", "cannot change while nved runs")
	}
	tes := func(t TESPeer) string {
		if t.Prefix.IsSingleIP() {
			return t.Prefix.Addr().String()
		}
		return t.Prefix.String()
	}
	for _, what := range changes(sessions(before.TES), sessions(next.TES), tes) {
		wrong("tes", what)
	}
	return errors.Join(errs...)
}

// SameButServers reports whether two configurations, and all that they were read from beside the file itself, differ in their servers at most.
func SameButServers(before, next *NVE, beforeSource, nextSource *NVESource) bool {
	a, b := *before, *next
	a.Servers, b.Servers = nil, nil
	s, t := *beforeSource, *nextSource
	s.Text, t.Text = nil, nil
	return reflect.DeepEqual(s, t) && reflect.DeepEqual(a, b)
}

// sessions is the neighbours without who they may speak for, which may change.
func sessions(peers []TESPeer) []TESPeer {
	list := slices.Clone(peers)
	for i := range list {
		list[i].IDs = nil
	}
	return list
}

// changes tells which neighbours are new, gone or others. It shows none of their passwords.
func changes[P any](before, next []P, name func(P) string) []string {
	var all []string
	by := func(list []P) map[string]P {
		m := make(map[string]P, len(list))
		for _, p := range list {
			m[name(p)] = p
		}
		return m
	}
	old, young := by(before), by(next)
	for n := range old {
		if _, stays := young[n]; !stays {
			all = append(all, fmt.Sprintf("neighbour %s cannot be removed while nved runs", n))
		}
	}
	for n, p := range young {
		switch was, known := old[n]; {
		case !known:
			all = append(all, fmt.Sprintf("neighbour %s cannot be added while nved runs", n))
		case !reflect.DeepEqual(was, p):
			all = append(all, fmt.Sprintf("neighbour %s cannot be changed while nved runs", n))
		}
	}
	slices.SortFunc(all, cmp.Compare)
	return all
}

// words is a value for people.
func words(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []netip.Addr:
		if len(v) == 0 {
			return "all addresses"
		}
	}
	return fmt.Sprint(v)
}
