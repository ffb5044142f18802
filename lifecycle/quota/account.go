package quota

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Resource is a kind of thing that is counted.
type Resource uint8

const (
	VMs       Resource = 1 + iota // of a TES, of a VN, of a TES in a VN
	MACs                          // of a VN, of a tenant
	ACLRules                      // of the edge
	VIDs                          // of a port
	Bandwidth                     // guaranteed on a port, bits a second
	numResources
)

var resourceNames = [numResources]string{VMs: "VMs", MACs: "MACs", ACLRules: "ACL rules", VIDs: "VIDs", Bandwidth: "bit/s of guaranteed bandwidth"}

// String is the resource in words.
func (r Resource) String() string {
	if r > 0 && r < numResources {
		return resourceNames[r]
	}
	return fmt.Sprintf("resource(%d)", uint8(r))
}

// Administrative reports whether the limit is one that somebody has set (reason 15), not one of what the edge has (reason 2).
func (r Resource) Administrative() bool { return r == VMs || r == MACs }

// Account is a resource and whose it is: fields that do not apply are zero, all of them for the edge's own.
type Account struct {
	Resource Resource
	VN       string // VN Name
	Tenant   string
	TES      uint32 // TES-ID
	Port     string
}

// String is the account in words: "VMs of TES 198.51.100.11 in VN blue".
func (a Account) String() string {
	words := []string{a.Resource.String()}
	if a.TES != 0 {
		words = append(words, "of TES "+netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, a.TES))).String())
	}
	if a.VN != "" {
		words = append(words, "in VN "+a.VN)
	}
	if a.Tenant != "" {
		words = append(words, "of tenant "+a.Tenant)
	}
	if a.Port != "" {
		words = append(words, "on port "+a.Port)
	}
	if len(words) == 1 {
		words = append(words, "of this edge")
	}
	return strings.Join(words, " ")
}

func compareAccounts(a, b Account) int {
	return cmp.Or(cmp.Compare(a.Resource, b.Resource), strings.Compare(a.VN, b.VN), strings.Compare(a.Tenant, b.Tenant), cmp.Compare(a.TES, b.TES), strings.Compare(a.Port, b.Port))
}

// Item is what an account counts: fields that do not apply are zero. Two claims with one item are one thing, which counts once.
type Item struct {
	VM  [16]byte
	VNI uint32
	MAC [6]byte
}

// Claim is what a holder wants of an account for one item.
type Claim struct {
	Account
	Item
	Amount uint64 // of one item that several hold, the largest counts
}

// Excess is a limit that something would go beyond.
type Excess struct {
	Account
	Limit uint64
	Used  uint64 // now, with what the holder has
	Asked uint64 // what would be used instead
}

// Error names the limit and its value.
func (x Excess) Error() string {
	return fmt.Sprintf("%s: the limit is %d, %d are reserved, %d would be", x.Account, x.Limit, x.Used, x.Asked)
}

// Usage is how much of an account is reserved.
type Usage struct {
	Account
	Used  uint64
	Limit uint64 // 0: none
}
