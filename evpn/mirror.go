package evpn

// Mirror is the Large Community for people that each message carries (SPEC §2). It is never evaluated. All numbers are decimal, so that they can
// be read where a tool prints only numbers:
//
//	request   AS : 100000 + base·1000  + op·10      + M      : sequence
//	response  AS : 200000 + state·1000 + status·100 + reason : acknowledged sequence
type Mirror struct {
	AS          uint32
	Response    bool
	State       State // request: the base state
	Op          Op    // request
	Immigration bool  // request: flag M
	Status      Status
	Reason      Reason
	Sequence    uint32
}

const (
	requestMirror  = 100000
	responseMirror = 200000
)

// Mirror is the Large Community for people (SPEC §2).
func (r *Request) Mirror(as uint32) LargeCommunity {
	n := requestMirror + uint32(r.Base)*1000 + uint32(r.Op)*10
	if r.Flags&FlagImmigration != 0 {
		n++
	}
	return LargeCommunity{Global: as, Data1: n, Data2: r.Sequence}
}

// Mirror is the Large Community for people (SPEC §2).
func (r *Response) Mirror(as uint32) LargeCommunity {
	n := responseMirror + uint32(r.State)*1000 + uint32(r.Status)*100 + uint32(r.Reason)
	return LargeCommunity{Global: as, Data1: n, Data2: r.Sequence}
}

// DecodeMirror reads a mirror; ok is false for a Large Community that is none, by its second number.
func DecodeMirror(l LargeCommunity) (m Mirror, ok bool) {
	m = Mirror{AS: l.Global, Sequence: l.Data2}
	kind, state, rest := l.Data1/100000, l.Data1/1000%100, l.Data1%1000
	if state > uint32(StateTerminated) {
		return Mirror{}, false
	}
	m.State = State(state)
	switch kind * 100000 {
	case requestMirror:
		op, flag := rest/10, rest%10
		m.Op, m.Immigration = Op(op), flag == 1
		ok = op >= uint32(PreAssociate) && op <= uint32(Terminate) && flag <= 1
	case responseMirror:
		status, reason := rest/100, rest%100
		m.Response, m.Status, m.Reason = true, Status(status), Reason(reason)
		ok = status <= uint32(Pending) && int(reason) < len(reasonWords.list)
	}
	if !ok {
		return Mirror{}, false
	}
	return m, true
}

// String is the mirror in words, like what Describe says of OP and RESULT.
func (m Mirror) String() string {
	if m.Response {
		return describeResult(m.Status, m.State, m.Reason, m.Sequence)
	}
	var flags Flags
	if m.Immigration {
		flags = FlagImmigration
	}
	return describeOp(m.Op, m.State, flags, m.Sequence)
}
