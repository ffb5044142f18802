package backend

import (
	"cmp"
	"slices"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// SortNetworks sorts by VNI, then name.
func SortNetworks(list []*tnsv1.Network) {
	slices.SortFunc(list, func(a, b *tnsv1.Network) int { return cmp.Or(cmp.Compare(a.Vni, b.Vni), cmp.Compare(a.Name, b.Name)) })
}
