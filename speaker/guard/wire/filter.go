package wire

// Verdict is what becomes of one UPDATE of an outside peer.
type Verdict struct {
	Update            // what GoBGP is told, parsed
	Decision Decision // the severest of all
	Forward  [][]byte // whole UPDATEs for GoBGP, in order: the message itself where nothing had to change
	Reset    *Error   // with Decision Reset, and nothing is forwarded then; it may be kept
	Refusals []Refusal
	Skipped  int // NLRI that were left out, and families
	Hidden   int // extended communities that travel in AttributeHidden
}

// Filter judges the UPDATEs of one session. It is not safe for concurrent use.
//
// An UPDATE is split (update.go, attribute.go), its attributes are judged (judge.go, by the table in rules.go), its NLRI are (nlri.go), and what is left
// is written (emit.go), unless that is the message as it came.
type Filter struct {
	session Session
	trusted bool // ParseUpdate: attributes are not judged
	bare    bool // Reader.Bare

	msg        []byte
	verdict    Verdict
	attributes []attribute // all, then those that stay
	seen       [4]uint64   // a bit for each type of attribute
	nextHop    []byte      // NEXT_HOP
	others     bool        // attributes beside MP_UNREACH_NLRI
	reachable  bool        // some NLRI is announced, carried or not
	changed    bool        // the message cannot go on as it came
	loop       bool        // the routes have been here
	invalid    *Error      // the first reason to treat it as a withdrawal

	values []byte // of Update.Attributes
	writer writer // of Forward
}

// NewFilter is the filter of a session.
func NewFilter(s Session) *Filter { return &Filter{session: s} }

// Update judges one whole UPDATE, header included. The verdict points into the message and the filter, and is valid until the next one.
func (f *Filter) Update(msg []byte) *Verdict {
	f.start(msg)
	err := f.judge()
	if err == nil {
		err = f.emit()
	}
	if err != nil {
		f.refuse(Reset, "session reset", err.Offset, err.Octets, "%s", err.Text)
		f.verdict = Verdict{Decision: Reset, Reset: err, Refusals: f.verdict.Refusals, Skipped: f.verdict.Skipped}
	}
	return &f.verdict
}

// start forgets the last message, but not the memory that it took.
func (f *Filter) start(msg []byte) {
	v := &f.verdict
	*v = Verdict{
		Update:   Update{Withdrawn: v.Withdrawn[:0], Announced: v.Announced[:0]},
		Forward:  v.Forward[:0],
		Refusals: v.Refusals[:0],
	}
	*f = Filter{
		session: f.session, trusted: f.trusted, bare: f.bare, msg: msg, verdict: *v,
		attributes: f.attributes[:0], values: f.values[:0], writer: f.writer.empty(),
	}
}
