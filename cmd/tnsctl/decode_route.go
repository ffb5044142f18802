package main

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tns-project/tns/evpn"
)

// decodedRoute is a route with what its communities say.
type decodedRoute struct {
	Route      string        `json:"route"`
	NextHop    string        `json:"next_hop"`
	Label      uint32        `json:"label"`
	Originator string        `json:"originator,omitempty"` // ORIGINATOR_ID, of a route that was reflected
	VMID       string        `json:"vmid"`                 // empty unless all pieces of it are there
	Parts      []decodedPart `json:"parts"`
}

// decodedPart is one community in words.
type decodedPart struct {
	Octets string `json:"octets"` // hexadecimal; of a large community A:B:C
	Text   string `json:"text"`
}

// describe is a community in words, well formed or not.
func describe(c evpn.ExtendedCommunity) decodedPart {
	text, ok := evpn.Describe(c)
	if !ok {
		text = "not of type 0x88: " + c.String()
	}
	return decodedPart{Octets: hex.EncodeToString(c[:]), Text: text}
}

// describeMirror is a large community in words; ok is false if it is no mirror.
func describeMirror(l evpn.LargeCommunity) (p decodedPart, ok bool) {
	m, ok := evpn.DecodeMirror(l)
	kind := "request"
	if m.Response {
		kind = "response"
	}
	return decodedPart{Octets: fmt.Sprintf("%d:%d:%d", l.Global, l.Data1, l.Data2), Text: "mirror " + kind + " " + m.String()}, ok
}

// vmidOf is the VMID whose pieces the communities carry, of a request or a response; empty if one is missing.
func vmidOf(communities []evpn.ExtendedCommunity) string {
	var vm evpn.VMID
	pieces := 0
	for _, c := range communities {
		if !c.Signalling() {
			continue
		}
		switch evpn.Subtype(c[1]) {
		case evpn.SubtypeVMIDa:
			pieces |= 1
			copy(vm[0:6], c[2:])
		case evpn.SubtypeVMIDb:
			pieces |= 2
			copy(vm[6:12], c[2:])
		case evpn.SubtypeVMIDc:
			pieces |= 4
			copy(vm[12:16], c[2:])
		}
	}
	if pieces != 7 {
		return ""
	}
	return vm.String()
}

// text is the route on a line, and its parts below it.
func (r decodedRoute) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s label %d next hop %s", r.Route, r.Label, r.NextHop)
	if r.Originator != "" {
		b.WriteString(" originator " + r.Originator)
	}
	if r.VMID != "" {
		b.WriteString(" VM " + r.VMID)
	}
	b.WriteByte('\n')
	for _, p := range r.Parts {
		b.WriteString("    " + p.text())
	}
	return b.String()
}

func (p decodedPart) text() string { return p.Octets + "  " + p.Text + "\n" }
