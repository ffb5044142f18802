package lifecycle

// Op is the operation a request asks for, numbered as on the wire.
type Op uint8

const (
	OpPreAssociate Op = 1 + iota
	OpAssociate
	OpSuspend
	OpResume
	OpEmigrate
	OpTerminate
	numOps
)

var opNames = [numOps]string{
	OpPreAssociate: "PRE-ASSOCIATE",
	OpAssociate:    "ASSOCIATE",
	OpSuspend:      "SUSPEND",
	OpResume:       "RESUME",
	OpEmigrate:     "EMIGRATE",
	OpTerminate:    "TERMINATE",
}

// String is the operation in capitals.
func (o Op) String() string { return name(opNames[:], o, "operation") }

// Valid reports whether o is one of the six operations.
func (o Op) Valid() bool { return o >= OpPreAssociate && o < numOps }

// Request is what the machine needs to know of a TES's request.
type Request struct {
	Op          Op
	Base        Figure // the state that the TES holds as acknowledged when it asks
	Immigration bool   // M: the same arrows, reported as an Immigration (§3.3.6)
	KeepAlive   bool   // K: refreshes the lifetime, whatever the operation (§3.3.8)
	DryRun      bool   // D: the same arrow, nothing carried out
}

// Immigrates reports whether the request is an Immigration: M with PRE-ASSOCIATE or ASSOCIATE, and nothing else (§3.3.6).
func (r Request) Immigrates() bool {
	return r.Immigration && !r.KeepAlive && (r.Op == OpPreAssociate || r.Op == OpAssociate)
}

// Classify is the event that a request is. Same tells whether its parameters are those held; it matters to PRE-ASSOCIATE and ASSOCIATE
// only. The operation is a valid one: a codec refuses others before.
func Classify(r Request, same bool) Event {
	if r.KeepAlive {
		return KeepAlive
	}
	switch r.Op {
	case OpPreAssociate:
		if same {
			return PreAssociateSame
		}
		return PreAssociateChanged
	case OpAssociate:
		if same {
			return AssociateSame
		}
		return AssociateChanged
	case OpSuspend:
		return Suspend
	case OpResume:
		return Resume
	case OpEmigrate:
		return Emigrate
	case OpTerminate:
		return Terminate
	}
	panic("classify " + r.Op.String() + ": operations are 1 to 6")
}
