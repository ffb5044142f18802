package nft

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/tns-project/tns/dataplane"
)

// tableName is our table's. The names of what belongs to a port begin with its device, which has no slash.
const tableName = "tns"

// The chains and sets of all ports.
const (
	spoofChain   = "tns/spoof"
	spoofedChain = "tns/spoofed"
	ownSet       = "tns/own"
	bound4Set    = "tns/bound4"
	bound6Set    = "tns/bound6"
	addr4Set     = "tns/addr4"
	addr6Set     = "tns/addr6"
	spoofedSet   = "tns/spoofed"
	portsSet     = "tns/ports"
)

// What belongs to a port, behind its device and a slash.
const (
	fromPart  = "from"
	toPart    = "to"
	groupPart = "group"
	aclPart   = "acl"
)

// sharedSets are the sets that all ports share.
var sharedSets = []*nftables.Set{
	{Name: ownSet, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr, nftables.TypeEtherAddr)},
	{Name: bound4Set, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr)},
	{Name: bound6Set, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr)},
	{Name: addr4Set, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr, nftables.TypeIPAddr)},
	{Name: addr6Set, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr, nftables.TypeIP6Addr)},
	{Name: spoofedSet, KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr), Counter: true},
	{Name: portsSet, KeyType: nftables.TypeIFName, Counter: true},
}

func init() {
	for _, s := range sharedSets {
		s.Table = ourTable()
	}
}

// sharedSet is the set that all ports share of that name.
func sharedSet(name string) *nftables.Set {
	return sharedSets[slices.IndexFunc(sharedSets, func(s *nftables.Set) bool { return s.Name == name })]
}

func ourTable() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: nftables.TableFamilyNetdev}
}

func sourceSet(device string) *nftables.Set {
	return &nftables.Set{Table: ourTable(), Name: device, KeyType: nftables.TypeEtherAddr}
}

// verdicts is a port's map from a VM's address to its chain.
func verdicts(device, part string) *nftables.Set {
	return &nftables.Set{Table: ourTable(), Name: device + "/" + part, KeyType: nftables.TypeEtherAddr, DataType: nftables.TypeVerdict, IsMap: true}
}

func plainChain(name string) *nftables.Chain { return &nftables.Chain{Table: ourTable(), Name: name} }

// vmChain names a chain of a VM's policy.
func vmChain(vm VM, d dataplane.Digest, part string) string {
	return strings.Join([]string{vm.Device, hex.EncodeToString(vm.MAC[:]), d.String(), part}, "/")
}

// parseVMChain is the reverse of vmChain.
func parseVMChain(name string) (vm VM, d dataplane.Digest, part string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 {
		return vm, d, "", false
	}
	mac, err := hex.DecodeString(parts[1])
	if err != nil || len(mac) != len(vm.MAC) {
		return vm, d, "", false
	}
	digest, err := hex.DecodeString(parts[2])
	if err != nil || len(digest) != len(d) {
		return vm, d, "", false
	}
	return VM{parts[0], dataplane.MAC(mac)}, dataplane.Digest(digest), parts[3], true
}

// ifname is a device name as nftables keeps it: 16 octets.
func ifname(device string) []byte {
	b := make([]byte, 16)
	copy(b, device)
	return b
}

// key is the elements of a concatenated key, each padded to four octets.
func key(parts ...[]byte) []byte {
	var k []byte
	for _, p := range parts {
		k = append(k, p...)
		k = append(k, make([]byte, -len(p)&3)...)
	}
	return k
}

// vmKey is a device and a MAC as the beginning of a concatenated key.
func vmKey(vm VM) []byte { return key(ifname(vm.Device), vm.MAC[:]) }

// parseVMKey is the reverse of vmKey, for a key of at least its length.
func parseVMKey(k []byte) (vm VM, rest []byte, ok bool) {
	if len(k) < 24 {
		return vm, nil, false
	}
	device, _, _ := strings.Cut(string(k[:16]), "\x00")
	return VM{device, dataplane.MAC(k[16:22])}, k[24:], true
}
