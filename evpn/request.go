package evpn

// Request is what one request route says in its communities of type 0x88 (SPEC §2). Absent parts are nil.
type Request struct {
	Op         Op
	Base       State
	Flags      Flags
	Sequence   uint32
	VM         VMID
	Index      uint8
	Count      uint8
	Policy     *Policy
	VNName     *VNName
	Proposal   *LocalTag
	Echo       *Echo
	Credential *Credential
	Expiry     *uint32
}

// Immigration reports whether the request is one: M, with PRE-ASSOCIATE or ASSOCIATE.
func (r *Request) Immigration() bool {
	return r.Flags&FlagImmigration != 0 && (r.Op == PreAssociate || r.Op == Associate)
}

// Communities is the request as extended communities, in SPEC's order. What does not fit its field is cut off.
func (r *Request) Communities() []ExtendedCommunity {
	cs := make([]ExtendedCommunity, 0, 13)
	cs = append(cs, SubtypeOp.community(opValue(r.Op, r.Base, r.Flags, r.Sequence)))
	cs = appendVMID(cs, r.VM, r.Index, r.Count)
	if r.Policy != nil {
		cs = append(cs, SubtypePolicy.community(r.Policy.value()))
	}
	if r.Proposal != nil {
		cs = append(cs, SubtypeLocalTag.community(r.Proposal.value()))
	}
	if r.Echo != nil {
		cs = append(cs, SubtypeEcho.community(r.Echo.value()))
	}
	if r.VNName != nil {
		cs = r.VNName.append(cs)
	}
	if r.Credential != nil {
		cs = r.Credential.append(cs)
	}
	if r.Expiry != nil {
		cs = append(cs, SubtypeExpiry.community(expiryValue(*r.Expiry)))
	}
	return cs
}

// DecodeRequest reads a request, whatever the order of the communities. On error (*FormatError) the request holds what could
// be read; HasVM of the error tells whether the VMID is whole. What only the route can tell (a label of 0 without VN-NAME) is not judged here.
func DecodeRequest(cs []ExtendedCommunity) (Request, error) {
	var r Request
	p := newReader("request", cs)

	p.need(SubtypeOp)
	hasOp := p.one(SubtypeOp)
	if hasOp {
		var ver uint8
		ver, r.Op, r.Base, r.Flags, r.Sequence = readOp(p.low[SubtypeOp])
		switch {
		case ver != version:
			p.complain("OP version is %d, not %d", ver, version)
		case r.Op < PreAssociate || r.Op > Terminate:
			p.complain("OP op is %d, not 1 (%v) to 6 (%v)", uint8(r.Op), PreAssociate, Terminate)
		case r.Base > StateTerminated:
			p.complain("OP base state is %d, not 0 (%v) to 5 (%v)", uint8(r.Base), StateNull, StateTerminated)
		}
	}

	p.need(SubtypeVMIDa, SubtypeVMIDb, SubtypeVMIDc)
	hasVM := p.one(SubtypeVMIDa, SubtypeVMIDb, SubtypeVMIDc)
	if hasVM {
		r.VM, r.Index, r.Count = readVMID(p.low[SubtypeVMIDa], p.low[SubtypeVMIDb], p.low[SubtypeVMIDc])
		if r.VM.IsZero() {
			p.complain("VMID is all zero, which is no VM's")
		}
		p.checkRoute(r.Index, r.Count)
	}

	if p.one(SubtypePolicy) {
		r.Policy = new(readPolicy(p.low[SubtypePolicy]))
	}
	if p.one(SubtypeLocalTag) {
		r.Proposal = new(readLocalTag(p.low[SubtypeLocalTag]))
	}
	if p.one(SubtypeEcho) {
		echo, result := readEcho(p.low[SubtypeEcho])
		r.Echo = &echo
		if result > 1 {
			p.complain("ECHO result is %d, not 0 (applied) or 1 (failed)", result)
		}
	}
	p.together(SubtypeVNNameA, SubtypeVNNameB)
	if p.one(SubtypeVNNameA, SubtypeVNNameB) {
		r.VNName = new(readVNName(p.low[SubtypeVNNameA], p.low[SubtypeVNNameB]))
	}
	p.together(SubtypeCredentialA, SubtypeCredentialB, SubtypeCredentialC)
	if p.one(SubtypeCredentialA, SubtypeCredentialB, SubtypeCredentialC) {
		r.Credential = new(readCredential(p.low[SubtypeCredentialA], p.low[SubtypeCredentialB], p.low[SubtypeCredentialC]))
	}
	if p.one(SubtypeExpiry) {
		r.Expiry = new(readExpiry(p.low[SubtypeExpiry]))
	}
	return r, p.err(hasVM, hasOp)
}
