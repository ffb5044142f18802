package evpn

// Status of RESULT.
type Status uint8

const (
	Success  Status = iota
	Fail            // refused
	FailKept        // refused, the previous association is kept
	Pending
)

var statusWords = words{"status", []string{
	Success:  "success",
	Fail:     "fail",
	FailKept: "fail-kept",
	Pending:  "pending",
}}

// ParseStatus reads a status's word.
func ParseStatus(s string) (Status, error) {
	n, err := statusWords.parse(s)
	return Status(n), err
}

// String is the status's word.
func (s Status) String() string { return statusWords.format(uint8(s)) }

// MarshalText is the text of String.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseStatus does.
func (s *Status) UnmarshalText(text []byte) (err error) {
	*s, err = ParseStatus(string(text))
	return err
}

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

var reasonWords = words{"reason", []string{
	ReasonNone:               "none",
	InvalidFormat:            "invalid format",
	NonSufficientResources:   "non-sufficient resources",
	PolicySourceNotReachable: "policy source not reachable",
	OtherReason:              "other",
	InvalidVNMACOrTag:        "invalid VN, MAC or tag",
	FailedAuthorization:      "failed authorization",
	ConflictPolicies:         "conflict policies",
	TooBusy:                  "too busy",
	WrongState:               "wrong state",
	UnknownVM:                "unknown VM",
	UnknownVN:                "unknown VN",
	StaleSequence:            "stale sequence",
	BadCredential:            "bad, missing or expired credential",
	Duplicate:                "duplicate VM, MAC or IP",
	Quota:                    "quota",
	AgedOut:                  "aged out",
	Draining:                 "NVE draining",
	IncompleteSet:            "incomplete set",
	UnsupportedType:          "unsupported address or tag type",
}}

// ParseReason reads a reason's words.
func ParseReason(s string) (Reason, error) {
	n, err := reasonWords.parse(s)
	return Reason(n), err
}

// String is the reason in SPEC's words.
func (r Reason) String() string { return reasonWords.format(uint8(r)) }

// MarshalText is the text of String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseReason does.
func (r *Reason) UnmarshalText(text []byte) (err error) {
	*r, err = ParseReason(string(text))
	return err
}

// resultValue is RESULT.
//
//	 0        4       8          16                            48
//	+--------+-------+----------+-----------------------------+
//	| status | state | reason 8 | acknowledged sequence 32    |
//	+--------+-------+----------+-----------------------------+
func resultValue(status Status, state State, reason Reason, sequence uint32) value {
	return value(status&15)<<44 | value(state&15)<<40 | value(reason)<<32 | value(sequence)
}

// readResult takes RESULT apart, without judging it.
func readResult(v value) (status Status, state State, reason Reason, sequence uint32) {
	return Status(v >> 44), State(v >> 40 & 15), Reason(v >> 32), uint32(v)
}
