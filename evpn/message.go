package evpn

// Op is an operation (SPEC §2).
type Op uint8

const (
	PreAssociate Op = 1 + iota
	Associate
	Suspend
	Resume
	Emigrate
	Terminate
)

// State is an association's state as numbered on the wire (SPEC §2).
type State uint8

const (
	StateNull State = iota
	StatePreAssociated
	StateAssociated
	StateSuspended
	StateEmigrating
	StateTerminated
)

// Flags of OP.
type Flags uint8

const (
	FlagImmigration Flags = 8 // M
	FlagKeepAlive   Flags = 4 // K
	FlagDryRun      Flags = 2 // D
)

// Status of RESULT.
type Status uint8

const (
	Success  Status = iota
	Fail            // refused
	FailKept        // refused, the previous association is kept
	Pending
)

// Reason of RESULT (SPEC §2).
type Reason uint8

const (
	ReasonNone Reason = iota
	InvalidFormat
	NonSufficientResources
	PolicySourceNotReachable
	OtherReason
	InvalidVNMACOrTag
	FailedAuthorization
	ConflictPolicies
	TooBusy
	WrongState
	UnknownVM
	UnknownVN
	StaleSequence
	BadCredential
	Duplicate
	Quota
	AgedOut
	Draining
	IncompleteSet
	UnsupportedType
)

// Policy is POLICY: a profile of a VSI type (SPEC §2; VDP's VSI type id and version).
type Policy struct {
	Type    uint32 // 24 bits
	Version uint8
	Format  uint8 // VMID format, as VDP
}

// LocalTag is LOCAL-TAG.
type LocalTag struct {
	Type   uint8 // 0 untagged, 1 = 802.1Q
	PS     bool
	PCP    uint8  // 3 bits
	VID    uint16 // 12 bits
	Change uint8
}

// Echo is ECHO.
type Echo struct {
	Change uint8
	Failed bool
}

// Lease is LEASE.
type Lease struct {
	Lifetime uint16 // seconds
	Counter  uint32 // beacon; 0 in responses
}

// VNName is VN-NAME: the first 96 bits of SHA-256 of the VN Name.
type VNName [12]byte

// HashVNName is the VNName of a VN Name.
func HashVNName(name string) VNName { return VNName{} }

// Credential is CREDENTIAL.
type Credential struct {
	KeyID uint16
	Tag   [16]byte
}

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

// Communities is the request as extended communities, in SPEC's order.
func (r *Request) Communities() []ExtendedCommunity { return nil }

// DecodeRequest reads a request, whatever the order of the communities. On error (*FormatError) the request holds what could
// be read; HasVM of the error tells whether the VMID is whole.
func DecodeRequest(cs []ExtendedCommunity) (Request, error) { return Request{}, errUnwritten }

// Mirror is the Large Community for people (SPEC §2).
func (r *Request) Mirror(as uint32) LargeCommunity { return LargeCommunity{} }

// FormatError says why a message is malformed (FAIL 1).
type FormatError struct {
	Reason  Reason
	Text    string
	HasVM   bool // the VMID fragments are whole
	HasOp   bool
	Missing bool // no community of ours at all: not a message
}

func (e *FormatError) Error() string { return e.Text }

// Response is what one response route says (SPEC §2, §3).
type Response struct {
	VM       *VMID
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

func (r *Response) Communities() []ExtendedCommunity { return nil }

func DecodeResponse(cs []ExtendedCommunity) (Response, error) { return Response{}, errUnwritten }

func (r *Response) Mirror(as uint32) LargeCommunity { return LargeCommunity{} }

// Beacon is what a type 3 beacon or reply beacon says (SPEC §2).
type Beacon struct {
	Lease  Lease
	Digest Digest
}

func (b *Beacon) Communities() []ExtendedCommunity { return nil }

func DecodeBeacon(cs []ExtendedCommunity) (Beacon, error) { return Beacon{}, errUnwritten }

// Digest is DIGEST: the number of live requests and the CRC-32C over them.
type Digest struct {
	Live uint16
	CRC  uint32
}

// DigestItem is one covered request route.
type DigestItem struct {
	VNI      VNI
	Key      RouteKey
	Sequence uint32
}

// DigestOf is the digest of the items, in any order.
func DigestOf(items []DigestItem) Digest { return Digest{} }

// SequenceLess reports a < b in RFC 1982 order; a difference of exactly 2^31 counts as lower (SPEC §2), so
// SequenceNewer(a, b) is false then too.
func SequenceNewer(a, b uint32) bool { return int32(a-b) > 0 }
