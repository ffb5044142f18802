package evpn

// Response is what one response route says (SPEC §2, §3). Absent parts are nil.
type Response struct {
	VM       *VMID // nil: the request had no whole one; NLRI and RESULT identify it
	Index    uint8
	Count    uint8
	Status   Status
	State    State
	Reason   Reason
	Sequence uint32 // acknowledged
	Lease    *Lease
	VNName   *VNName
	Tag      *LocalTag
}

// Communities is the response as extended communities, in SPEC's order. What does not fit its field is cut off.
func (r *Response) Communities() []ExtendedCommunity {
	return r.AppendCommunities(make([]ExtendedCommunity, 0, 8))
}

// AppendCommunities appends what Communities is.
func (r *Response) AppendCommunities(cs []ExtendedCommunity) []ExtendedCommunity {
	if r.VM != nil {
		cs = appendVMID(cs, *r.VM, r.Index, r.Count)
	}
	cs = append(cs, SubtypeResult.community(resultValue(r.Status, r.State, r.Reason, r.Sequence)))
	if r.Tag != nil {
		cs = append(cs, SubtypeLocalTag.community(r.Tag.value()))
	}
	if r.Lease != nil {
		cs = append(cs, SubtypeLease.community(r.Lease.value()))
	}
	if r.VNName != nil {
		cs = r.VNName.append(cs)
	}
	return cs
}

// DecodeResponse reads a response, whatever the order of the communities. On error (*FormatError) the response holds what could be read.
// Index and count are the request's: where the response says that the request was malformed they may be so too, and are not judged. A reason
// that is not known is kept as its number.
func DecodeResponse(cs []ExtendedCommunity) (Response, error) {
	var r Response
	p := newReader("response", cs)

	p.need(SubtypeResult)
	hasResult := p.one(SubtypeResult)
	if hasResult {
		r.Status, r.State, r.Reason, r.Sequence = readResult(p.low[SubtypeResult])
		switch {
		case r.Status > Pending:
			p.complain("RESULT status is %d, not 0 (%v) to 3 (%v)", uint8(r.Status), Success, Pending)
		case r.State > StateTerminated:
			p.complain("RESULT state is %d, not 0 (%v) to 5 (%v)", uint8(r.State), StateNull, StateTerminated)
		}
	}

	p.together(SubtypeVMIDa, SubtypeVMIDb, SubtypeVMIDc)
	hasVM := p.one(SubtypeVMIDa, SubtypeVMIDb, SubtypeVMIDc)
	if hasVM {
		var vm VMID
		vm, r.Index, r.Count = readVMID(p.low[SubtypeVMIDa], p.low[SubtypeVMIDb], p.low[SubtypeVMIDc])
		r.VM = &vm
		if r.Reason != InvalidFormat {
			p.checkRoute(r.Index, r.Count)
		}
	}

	if p.one(SubtypeLocalTag) {
		r.Tag = new(readLocalTag(p.low[SubtypeLocalTag]))
	}
	if p.one(SubtypeLease) {
		r.Lease = new(readLease(p.low[SubtypeLease]))
	}
	p.together(SubtypeVNNameA, SubtypeVNNameB)
	if p.one(SubtypeVNNameA, SubtypeVNNameB) {
		r.VNName = new(readVNName(p.low[SubtypeVNNameA], p.low[SubtypeVNNameB]))
	}
	return r, p.err(hasVM, hasResult)
}
