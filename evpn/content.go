package evpn

import (
	"bytes"
	"slices"
)

// Content is what of a request's communities makes two requests of one sequence equal (SPEC §2): those of type 0x88 but ECHO, reserved bits
// cleared, each once, sorted. Compare with slices.Equal; NLRI and label belong to the content too and are the caller's to compare.
func Content(cs []ExtendedCommunity) []ExtendedCommunity {
	return AppendContent(make([]ExtendedCommunity, 0, len(cs)), cs)
}

// AppendContent appends what Content is.
func AppendContent(content, cs []ExtendedCommunity) []ExtendedCommunity {
	start := len(content)
	for _, c := range cs {
		sub, v := c.split()
		switch {
		case !c.Signalling() || sub == SubtypeEcho:
			continue
		case sub.Known():
			c = sub.community(v & subtypes[sub].bits)
		}
		content = append(content, c)
	}
	slices.SortFunc(content[start:], func(a, b ExtendedCommunity) int { return bytes.Compare(a[:], b[:]) })
	return content[:start+len(slices.Compact(content[start:]))]
}
