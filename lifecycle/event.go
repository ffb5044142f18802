package lifecycle

// Event is what happens to an association: a request (§3.3.1 to §3.3.8), the end of a lifetime, or something seen in the fabric.
//
// Same and changed are two events, because telling them apart needs the parameters, which the machine has not.
type Event uint8

const (
	PreAssociateSame    Event = iota // §3.3.1 with the parameters that are held
	PreAssociateChanged              // §3.3.1 with new or other parameters
	AssociateSame                    // §3.3.2 with the parameters that are held
	AssociateChanged                 // §3.3.2 with new or other parameters
	Suspend                          // §3.3.3
	Resume                           // §3.3.4
	Emigrate                         // §3.3.5
	Terminate                        // §3.3.7; also when the last request was withdrawn over a session that stays up
	KeepAlive                        // §3.3.8: any request with the keep-alive flag
	AgedOut                          // §3.3.8: the lifetime ended
	Outranked                        // a better route of another edge, or the same VM associated at another TES of this edge
	NewerSeen                        // Emigrating: another edge's newer route for the MAC is there
	Reinstated                       // the outranking route went away without a TERMINATE here
	numEvents
)

var eventNames = [numEvents]string{
	PreAssociateSame:    "PRE-ASSOCIATE (same)",
	PreAssociateChanged: "PRE-ASSOCIATE (changed)",
	AssociateSame:       "ASSOCIATE (same)",
	AssociateChanged:    "ASSOCIATE (changed)",
	Suspend:             "SUSPEND",
	Resume:              "RESUME",
	Emigrate:            "EMIGRATE",
	Terminate:           "TERMINATE",
	KeepAlive:           "keep-alive",
	AgedOut:             "aged out",
	Outranked:           "outranked",
	NewerSeen:           "newer seen",
	Reinstated:          "reinstated",
}

// String is the event in the words of the figure: requests in capitals.
func (e Event) String() string { return name(eventNames[:], e, "event") }

// Request reports whether the event is a TES's request, which is answered; the others are what the NVE sees by itself.
func (e Event) Request() bool { return e <= KeepAlive }
