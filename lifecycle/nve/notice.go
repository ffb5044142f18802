package nve

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
)

// Notice is what a middlebox is told of a VM (§3.3.6): that it comes or goes, with what, from where and to where, so that a firewall or a load balancer can
// bring its state along.
type Notice struct {
	ID       [16]byte // of what happened: a notice that is given again, after a restart, has the same
	Event    Notable
	Outcome  Outcome
	At       time.Time
	VM       evpn.VMID
	TES      evpn.RouterID // that asks, or has the VM
	Sequence uint32        // of the request
	State    evpn.State    // the association's afterwards
	Reason   evpn.Reason   // of a request that is refused; of what the NVE does by itself; else 0
	From, To End

	Attachments []Attachment // sorted
}

// End is one end of a move; what is not known is zero.
type End struct {
	TES  evpn.RouterID // behind this edge only: other edges do not tell
	NVE  evpn.RouterID
	VTEP netip.Addr
}

// Attachment is what a VM has in a VN.
type Attachment struct {
	VN  string
	VNI evpn.VNI
	MAC evpn.MAC
	IPs []netip.Addr
}

// Notable is what a notice is about.
type Notable uint8

const (
	Immigration  Notable = 1 + iota // a VM came here (§3.3.6)
	Emigration                      // a VM leaves, and later has left (§3.3.5)
	Association                     // a VM is new or changed here (§3.3.1, §3.3.2)
	Suspension                      // §3.3.3
	Resumption                      // §3.3.4, and what was outranked is active again
	Termination                     // §3.3.7, also by age (§3.3.8)
	Displacement                    // another edge or TES has the VM now, and nobody said so here
)

var notables = [...]string{"", "immigration", "emigration", "association", "suspension", "resumption", "termination", "displacement"}

// String is the event as notices and configuration have it.
func (n Notable) String() string { return notables[n] }

// ParseNotable reads what String returns.
func ParseNotable(s string) (n Notable, ok bool) {
	for i, word := range notables {
		if i > 0 && word == s {
			return Notable(i), true
		}
	}
	return 0, false
}

// Outcome is how far it has come.
type Outcome uint8

const (
	Completed Outcome = iota
	Started           // an Emigration whose VM is not seen elsewhere yet: another notice follows when it is
	Refused           // nothing has changed
)

var outcomes = [...]string{"completed", "started", "refused"}

// String is the outcome in a word.
func (o Outcome) String() string { return outcomes[o] }

// Middleboxes are told what happens to VMs. Tell does not wait for them.
type Middleboxes interface {
	Tell(Notice)
}

// noticeID is what makes a notice the same as another: edge, event, outcome, VM, TES, sequence, reason and the end it goes to, as a UUID (RFC 9562, version 8).
func noticeID(edge evpn.RouterID, n *Notice) (id [16]byte) {
	b := []byte("tns-notice-1")
	b = binary.BigEndian.AppendUint32(b, uint32(edge))
	b = append(b, byte(n.Event), byte(n.Outcome))
	b = append(b, n.VM[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(n.TES))
	b = binary.BigEndian.AppendUint32(b, n.Sequence)
	b = append(b, byte(n.Reason))
	b = append(b, n.To.VTEP.AsSlice()...)
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

// IDText is the ID as a UUID.
func (n *Notice) IDText() string {
	h := hex.EncodeToString(n.ID[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
