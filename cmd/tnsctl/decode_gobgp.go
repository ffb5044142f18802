package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// What gobgp prints with -j differs from command to command (a map by prefix, a list, one path a line); each path in it is an object with
// "nlri" and "attrs".

// Path attributes (RFC 4271, 4456, 4760, 4360, 6514, 8092) and the EVPN route types (RFC 7432, 9136) of which more is told than octets.
const (
	attributeNextHop    = 3
	attributeOriginator = 9
	attributeMPReach    = 14
	attributeExtended   = 16
	attributePMSI       = 22
	attributeLarge      = 32
	routeMACIP          = 2
)

// object is a JSON object; its methods are lenient, because the printed form has no contract.
type object map[string]any

func (o object) number(key string) uint32 { n, _ := o[key].(float64); return uint32(n) }

func (o object) text(key string) string {
	if o[key] == nil {
		return ""
	}
	return fmt.Sprint(o[key])
}

func (o object) object(key string) object { m, _ := o[key].(map[string]any); return m }

func (o object) objects(key string) []object {
	list, _ := o[key].([]any)
	var objects []object
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			objects = append(objects, m)
		}
	}
	return objects
}

// routes prints the routes of a stream of JSON values.
func (d *decoder) routes(in io.Reader) error {
	stream := json.NewDecoder(in)
	for number := 1; ; number++ {
		var value any
		err := stream.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what gobgp prints with -j: %w", err)
		}
		routes := findRoutes(value)
		if len(routes) == 0 && !mayHoldRoutes(value) {
			return fmt.Errorf("no route in JSON value %d: want what gobgp prints with -j of a table, such as gobgp global rib -a evpn -j", number)
		}
		for _, r := range routes {
			if err := d.put(r); err != nil {
				return err
			}
		}
	}
}

// findRoutes finds the paths in a value, in order; of a map by its keys.
func findRoutes(v any) []decodedRoute {
	var routes []decodedRoute
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			routes = append(routes, findRoutes(e)...)
		}
	case map[string]any:
		if o := object(v); o["nlri"] != nil && o["attrs"] != nil {
			return []decodedRoute{decodeRoute(o)}
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			routes = append(routes, findRoutes(v[k])...)
		}
	}
	return routes
}

// mayHoldRoutes reports whether a value without routes can come from a table: it is empty, or is of paths without attributes.
func mayHoldRoutes(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !mayHoldRoutes(e) })
	case map[string]any:
		if v["nlri"] != nil {
			return true
		}
		for _, e := range v {
			if !mayHoldRoutes(e) {
				return false
			}
		}
		return true
	}
	return false
}

// decodeRoute is one path.
func decodeRoute(path object) decodedRoute {
	nlri := path.object("nlri")
	value := nlri.object("value")
	r := decodedRoute{Route: routeWords(nlri.number("type"), value), Parts: []decodedPart{}}
	if labels, ok := value["labels"].([]any); ok && len(labels) > 0 {
		if n, ok := labels[0].(float64); ok {
			r.Label = uint32(n)
		}
	}
	for _, attr := range path.objects("attrs") {
		switch attr.number("type") {
		case attributeNextHop, attributeMPReach:
			r.NextHop = attr.text("nexthop")
		case attributeOriginator:
			r.Originator = attr.text("value")
		case attributeExtended:
			var communities []evpn.ExtendedCommunity
			for _, c := range attr.objects("value") {
				if octets, ok := signalling(c); ok {
					communities = append(communities, octets)
					r.Parts = append(r.Parts, describe(octets))
				}
			}
			r.VMID = vmidOf(communities)
		case attributeLarge:
			for _, c := range attr.objects("value") {
				l := evpn.LargeCommunity{Global: c.number("ASN"), Data1: c.number("LocalData1"), Data2: c.number("LocalData2")}
				if part, ok := describeMirror(l); ok {
					r.Parts = append(r.Parts, part)
				}
			}
		}
	}
	return r
}

// signalling is the octets of a community of type 0x88; gobgp prints the type as a number and the other seven octets in base64.
func signalling(c object) (evpn.ExtendedCommunity, bool) {
	kind := c.number("type")
	octets, err := base64.StdEncoding.DecodeString(c.text("value"))
	if kind > 0xff || err != nil || len(octets) != 7 {
		return evpn.ExtendedCommunity{}, false
	}
	community := evpn.ExtendedCommunity(append([]byte{byte(kind)}, octets...))
	return community, community.Signalling()
}

// routeWords is an NLRI for people.
func routeWords(kind uint32, value object) string {
	rd := value.object("rd")
	s := fmt.Sprintf("type %d rd %s:%d etag %d", kind, rd.text("admin"), rd.number("assigned"), value.number("etag"))
	if kind == routeMACIP {
		s += " mac " + value.text("mac")
	}
	if ip := value.text("ip"); ip != "" && ip != "<nil>" {
		s += " ip " + ip
	}
	return s
}
