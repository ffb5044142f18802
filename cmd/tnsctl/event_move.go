package main

import (
	"strings"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// moveView is what an event of the kind move has beside: a VM that comes (op immigration) or goes (op emigration). An end that is not known is left out.
type moveView struct {
	ID          string           `json:"id"`
	Outcome     string           `json:"outcome"`
	From        *endView         `json:"from,omitempty"`
	To          *endView         `json:"to,omitempty"`
	Attachments []attachmentView `json:"attachments"`
}

// endView is one end of a move.
type endView struct {
	TES  string `json:"tes,omitempty"`
	NVE  string `json:"nve,omitempty"`
	VTEP string `json:"vtep,omitempty"`
}

// attachmentView is a MAC of the VM in a VN.
type attachmentView struct {
	VN  string   `json:"vn"`
	VNI uint32   `json:"vni"`
	MAC string   `json:"mac"`
	IPs []string `json:"ips"`
}

func viewMove(m *tnsv1.Move) *moveView {
	if m == nil {
		return nil
	}
	v := &moveView{ID: m.Id, Outcome: m.Outcome, From: viewEnd(m.From), To: viewEnd(m.To), Attachments: []attachmentView{}}
	for _, a := range m.Attachments {
		v.Attachments = append(v.Attachments, attachmentView{VN: a.Vn, VNI: a.Vni, MAC: a.Mac, IPs: append([]string{}, a.Ips...)})
	}
	return v
}

func viewEnd(e *tnsv1.Move_End) *endView {
	if e == nil {
		return nil
	}
	return &endView{TES: e.Tes, NVE: e.Nve, VTEP: e.Vtep}
}

// ends is where it comes from and goes to, for people.
func (m *moveView) ends() string { return words("from", m.From.words(), "to", m.To.words()) }

func (e *endView) words() string {
	if e == nil {
		return "?"
	}
	at := e.VTEP
	if e.NVE != "" && e.NVE != e.VTEP {
		at = words(e.NVE, "("+e.VTEP+")")
	}
	if e.TES == "" {
		return at
	}
	return e.TES + " at " + at
}

// bindings is all that the VM has, for people.
func (m *moveView) bindings() string {
	list := make([]string, len(m.Attachments))
	for i, a := range m.Attachments {
		list[i] = words(append([]string{vnWords(a.VN, a.VNI), a.MAC}, a.IPs...)...)
	}
	return strings.Join(list, ", ")
}
