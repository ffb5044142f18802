package wire

import "github.com/tns-project/tns/evpn"

// Decision is what RFC 7606 §2 wants done about an error in an UPDATE, the mildest first.
type Decision uint8

const (
	Accept   Decision = iota
	Discard           // attribute discard: the attribute goes, the routes stay
	Skip              // NLRI of a route type or family that cannot be carried are left out, the others stay (§5.4)
	Withdraw          // treat-as-withdraw: all routes of the UPDATE are withdrawn
	Reset             // session reset, also where the RFC leaves the choice of disabling the family
)

// Refusal is one thing of an UPDATE that does not get through, for counters and the log.
type Refusal struct {
	Decision Decision
	What     string // such as "MULTI_EXIT_DISC" or "EVPN route type 9": few different ones, fit for a counter's label
	Text     string // why, with the section that decides
	Offset   int    // in the message, header included
	Octets   []byte // the offending ones, at most OctetsKept: a copy
}

// Verdict is what becomes of one UPDATE of an outside peer.
type Verdict struct {
	Update            // what GoBGP is told, parsed
	Decision Decision // the severest of all
	Forward  [][]byte // whole UPDATEs for GoBGP, in order: the message itself where nothing had to change; valid until the next message
	Reset    *Error   // with Decision Reset, and nothing is forwarded then
	Refusals []Refusal
	Hidden   int // extended communities that travel in AttributeHidden
}

// Filter judges the UPDATEs of one session. It is not safe for concurrent use.
type Filter struct{}

// NewFilter is the filter of a session.
func NewFilter(s Session) *Filter { panic("in the next commit") }

// Update judges one whole UPDATE, header included.
func (f *Filter) Update(msg []byte) Verdict { panic("in the next commit") }

// AttributeHidden is the type of the path attribute that carries extended communities past GoBGP, which would refuse the route for them, or change
// them: eight octets each. It is optional non-transitive, so that GoBGP keeps it for its watchers and never sends it on, and of the type that is
// reserved for development (RFC 2042). One that comes from outside is discarded, so that it cannot be forged.
const AttributeHidden = 255

// RestoreCommunities joins the extended communities that GoBGP tells with those of the value of AttributeHidden, none where hidden is nil.
func RestoreCommunities(told []evpn.ExtendedCommunity, hidden []byte) ([]evpn.ExtendedCommunity, error) {
	panic("in the next commit")
}
