package policy

import "fmt"

// ID names a profile, as a VSI type does: a type id of 24 bits and a version. The zero ID names none.
type ID struct {
	Type    uint32
	Version uint8
}

// MaxType is the highest type id.
const MaxType = 1<<24 - 1

// String is the ID as 5 or 5:2, as tnsctl takes it.
func (i ID) String() string {
	if i.Version == 0 {
		return fmt.Sprint(i.Type)
	}
	return fmt.Sprintf("%d:%d", i.Type, i.Version)
}

// Rate is a limit: bits a second in the long run, and how many octets may come at once. Zero is no limit.
type Rate struct {
	Bits  uint64
	Burst uint32
}

// Direction is what holds for the frames that go one way.
type Direction struct {
	ACL
	Rate Rate
}

// Profile is a policy that a request can name.
type Profile struct {
	ID
	Name         string   // for people; unique
	VNs          []string // where it may be used; empty: in any VN
	FromVM, ToVM Direction
	Guaranteed   uint64 // bits a second that the VM is sure of on its way to it; 0: none
	DSCP         Octet  // 0 to 63: what its IP packets are marked with
	PCP          Octet  // 0 to 7: the 802.1p priority of its frames
}

// String is the profile for people: `web (100:1)`.
func (p *Profile) String() string { return fmt.Sprintf("%s (%s)", p.Name, p.ID) }

// Usable reports whether the profile may be used in a VN.
func (p *Profile) Usable(vn string) bool {
	for _, name := range p.VNs {
		if name == vn {
			return true
		}
	}
	return len(p.VNs) == 0
}

// Rules is the number of ACL rules of both directions.
func (p *Profile) Rules() int { return len(p.FromVM.Rules) + len(p.ToVM.Rules) }
