package history

// Move is what is told of a VM's move beside the event. It does not change any more.
type Move struct {
	ID          string       `json:"id"`             // a UUID, the same whenever the same thing is told again
	Outcome     string       `json:"outcome"`        // completed, started or refused
	From        *End         `json:"from,omitempty"` // nil: not known
	To          *End         `json:"to,omitempty"`   // nil: not known
	Attachments []Attachment `json:"attachments"`
}

// End is one end of a VM's move, as far as it is known: a VM that another edge has is behind that edge's VTEP, and which TES it is at is not told there.
type End struct {
	TES  string `json:"tes,omitempty"`
	NVE  string `json:"nve,omitempty"`
	VTEP string `json:"vtep,omitempty"`
}

// Attachment is what a VM has in a VN: a MAC and its IPs.
type Attachment struct {
	VN  string   `json:"vn"`
	VNI uint32   `json:"vni"`
	MAC string   `json:"mac"`
	IPs []string `json:"ips"`
}
