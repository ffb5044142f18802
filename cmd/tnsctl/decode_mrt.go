package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tns-project/tns/speaker/guard/mrt"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// mrtHeader is the length in octets of what each record in the form of MRT begins with (RFC 6396 §2).
const mrtHeader = 12

// messageView is one record: a BGP message, or a change of the session's state. Keys that do not apply are left out.
type messageView struct {
	At           time.Time         `json:"at,omitzero"` // unknown where a record is cut off inside its header
	Peer         string            `json:"peer,omitempty"`
	PeerAS       uint32            `json:"peer_as,omitempty"`
	Local        string            `json:"local,omitempty"`
	LocalAS      uint32            `json:"local_as,omitempty"`
	Direction    string            `json:"direction,omitempty"` // received or sent
	Type         string            `json:"type"`
	State        *changeView       `json:"state,omitempty"`
	Open         *openView         `json:"open,omitempty"`
	Notification *notificationView `json:"notification,omitempty"`
	Refresh      *refreshView      `json:"route_refresh,omitempty"`
	EndOfRIB     string            `json:"end_of_rib,omitempty"` // a family
	Announced    []decodedRoute    `json:"announced,omitempty"`
	Withdrawn    []string          `json:"withdrawn,omitempty"`
	Unread       []unreadView      `json:"unread,omitempty"`
}

type changeView struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type notificationView struct {
	Code    uint8  `json:"code"`
	Subcode uint8  `json:"subcode"`
	Text    string `json:"text"`
	Data    string `json:"data,omitempty"` // hexadecimal
}

type refreshView struct {
	Family string `json:"family"`
	Kind   string `json:"kind"`
}

// unreadView is octets that could not be read.
type unreadView struct {
	What   string `json:"what"`
	Octets string `json:"octets"` // hexadecimal
}

// records prints the records of a recording. One that cannot be read is shown as octets, and does not end the reading.
func (d *decoder) records(in io.Reader) error {
	for r := mrt.NewReader(in); ; {
		v, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		view := viewRecord(v)
		if err != nil {
			bad, ok := errors.AsType[*mrt.RecordError](err)
			if !ok {
				return fmt.Errorf("read a recording: %w", err)
			}
			view = messageView{At: bad.At.UTC(), Type: fmt.Sprintf("record %d/%d", bad.Type, bad.Subtype)}
			view.unread(bad.Err.Error(), bad.Octets)
		}
		if err := d.put(view); err != nil {
			return err
		}
	}
}

func viewRecord(r mrt.Record) messageView {
	v := messageView{At: r.At.UTC(), Peer: r.Peer.String(), PeerAS: r.PeerAS, Local: r.Local.String(), LocalAS: r.LocalAS}
	if r.Message == nil {
		v.Type, v.State = "state", &changeView{From: r.From.String(), To: r.To.String()}
		return v
	}
	v.Direction = "received"
	if r.Sent {
		v.Direction = "sent"
	}
	v.message(r.Message, r.Truncated)
	return v
}

// message tells what a message says.
func (v *messageView) message(msg []byte, truncated bool) {
	v.Type = "message"
	if len(msg) < wire.HeaderLength {
		v.unread("cut off", msg)
		return
	}
	v.Type = wire.TypeOf(msg).String()
	if truncated {
		v.unread("cut off", msg)
		return
	}
	var err error
	if size := lengthOf(msg); size >= wire.HeaderLength && size < len(msg) {
		v.unread("after the message", msg[size:])
		msg = msg[:size]
	}
	switch wire.TypeOf(msg) {
	case wire.TypeOpen:
		err = v.open(msg)
	case wire.TypeUpdate:
		v.update(msg)
	case wire.TypeNotification:
		err = v.notification(msg)
	case wire.TypeRouteRefresh:
		err = v.refresh(msg)
	default: // a KEEPALIVE says no more, and what else there may be is not known
		_, _, err = wire.CheckHeader(msg)
	}
	if err != nil {
		what := err.Error()
		if bad, ok := errors.AsType[*wire.Error](err); ok {
			what = bad.Text
		}
		v.unread(what, msg)
	}
}

// lengthOf is the length that a message says that it has.
func lengthOf(msg []byte) int { return int(msg[16])<<8 | int(msg[17]) }

func (v *messageView) unread(what string, octets []byte) {
	v.Unread = append(v.Unread, unreadView{What: what, Octets: hex.EncodeToString(octets)})
}

func (v *messageView) notification(msg []byte) error {
	n, err := wire.ParseNotification(msg)
	if err != nil {
		return err
	}
	v.Notification = &notificationView{Code: uint8(n.Code), Subcode: n.Subcode, Text: n.String(), Data: hex.EncodeToString(n.Data)}
	return nil
}

func (v *messageView) refresh(msg []byte) error {
	r, err := wire.ParseRouteRefresh(msg)
	switch {
	case err != nil:
		return err
	case r.Family == 0:
		return fmt.Errorf("ROUTE-REFRESH of %d octets, it has 23", len(msg))
	}
	kinds := map[wire.RefreshKind]string{wire.RefreshRequest: "request", wire.RefreshBegin: "begin", wire.RefreshEnd: "end"}
	kind, ok := kinds[r.Kind]
	if !ok {
		kind = fmt.Sprint(uint8(r.Kind))
	}
	v.Refresh = &refreshView{Family: r.Family.String(), Kind: kind}
	return nil
}

// text is the message on a line, and its routes below it.
func (v messageView) text() string {
	var b strings.Builder
	at := ""
	if !v.At.IsZero() {
		at = v.At.Local().Format("2006-01-02 15:04:05.000000")
	}
	fmt.Fprintln(&b, words(at, v.Peer, v.Direction, v.Type, v.essence()))
	for _, r := range v.Announced {
		b.WriteString(indent("announce " + r.text()))
	}
	for _, r := range v.Withdrawn {
		b.WriteString(indent("withdraw " + r + "\n"))
	}
	for _, u := range v.Unread {
		b.WriteString(indent(fmt.Sprintf("unread, %s: %s\n", u.What, u.Octets)))
	}
	return b.String()
}

// essence is what the message says as far as it fits the line.
func (v messageView) essence() string {
	switch {
	case v.State != nil:
		return v.State.From + " to " + v.State.To
	case v.Open != nil:
		return v.Open.String()
	case v.Notification != nil && v.Notification.Data != "":
		return v.Notification.Text + " data " + v.Notification.Data
	case v.Notification != nil:
		return v.Notification.Text
	case v.Refresh != nil:
		return v.Refresh.Family + " " + v.Refresh.Kind
	case v.EndOfRIB != "":
		return "End-of-RIB " + v.EndOfRIB
	}
	return ""
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}
