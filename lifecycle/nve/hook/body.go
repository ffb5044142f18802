package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
)

// body is a notice as middleboxes get it. What is not known is left out. Keys are added only, never changed (docs/hooks.md).
type body struct {
	ID          string       `json:"id"`
	Event       string       `json:"event"`
	Outcome     string       `json:"outcome"`
	At          time.Time    `json:"at"`
	NVE         string       `json:"nve"`
	VM          string       `json:"vmid"`
	TES         string       `json:"tes"`
	Sequence    uint32       `json:"sequence"`
	State       string       `json:"state"`
	Reason      string       `json:"reason,omitempty"`
	ReasonCode  uint8        `json:"reason_code,omitempty"`
	From        *end         `json:"from,omitempty"`
	To          *end         `json:"to,omitempty"`
	Attachments []attachment `json:"attachments"`
}

type end struct {
	TES  string `json:"tes,omitempty"`
	NVE  string `json:"nve,omitempty"`
	VTEP string `json:"vtep,omitempty"`
}

type attachment struct {
	VN  string       `json:"vn"`
	VNI evpn.VNI     `json:"vni"`
	MAC string       `json:"mac"`
	IPs []netip.Addr `json:"ips"`
}

// bodyOf is the notice of an edge.
func bodyOf(edge evpn.RouterID, n *nve.Notice) body {
	b := body{
		ID: n.IDText(), Event: n.Event.String(), Outcome: n.Outcome.String(), At: n.At.UTC(), NVE: edge.String(), VM: n.VM.String(), TES: n.TES.String(),
		Sequence: n.Sequence, State: n.State.String(), From: endOf(n.From), To: endOf(n.To), Attachments: []attachment{},
	}
	if n.Reason != evpn.ReasonNone {
		b.Reason, b.ReasonCode = n.Reason.String(), uint8(n.Reason)
	}
	for _, a := range n.Attachments {
		b.Attachments = append(b.Attachments, attachment{VN: a.VN, VNI: a.VNI, MAC: a.MAC.String(), IPs: append([]netip.Addr{}, a.IPs...)})
	}
	return b
}

func endOf(e nve.End) *end {
	if e == (nve.End{}) {
		return nil
	}
	text := &end{}
	if e.TES != 0 {
		text.TES = e.TES.String()
	}
	if e.NVE != 0 {
		text.NVE = e.NVE.String()
	}
	if e.VTEP.IsValid() {
		text.VTEP = e.VTEP.String()
	}
	return text
}

// encode is the octets that are sent.
func (b body) encode() []byte {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return text
}

// Signature is what the header Tns-Signature says of a body: sha256= and the HMAC in hexadecimal digits.
func Signature(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
