package store

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
)

// appendTo and its like below append what encoding/json makes of a record, octet for octet, without asking what a record is made of: where each VM's change
// comes alone, that takes longer than all else that its store does.

func (r *record) appendTo(b []byte) []byte {
	b = append(b, `{"nve":`...)
	b = appendText(b, r.NVE)
	b = append(b, `,"wish":`...)
	b = r.Wish.appendTo(b)
	b = append(b, `,"request":{`...)
	b = r.Request.appendTo(b)
	b = append(b, `},"standing":`...)
	if r.Standing == nil {
		b = append(b, "null"...)
	} else {
		b = appendList(b, r.Standing, (*routeRecord).appendTo)
	}
	b = append(b, `,"acked":`...)
	b = r.Acked.appendTo(b)
	b = append(b, `,"answer":`...)
	b = r.Answer.appendTo(b)
	if len(r.Tags) > 0 {
		b = append(b, `,"tags":`...)
		b = appendList(b, r.Tags, (*tagRecord).appendTo)
	}
	return append(b, '}')
}

func (w *wishRecord) appendTo(b []byte) []byte {
	b = appendNumber(append(b, '{'), `"op":`, uint32(w.Op))
	b = appendTrue(b, `,"immigration":`, w.Immigration)
	if len(w.Bindings) > 0 {
		b = append(b, `,"bindings":`...)
		b = appendList(b, w.Bindings, (*bindingRecord).appendWhole)
	}
	b = appendNumber(b, `,"phase":`, uint32(w.Phase))
	b = appendTrue(b, `,"anew":`, w.Anew)
	return append(b, '}')
}

// appendTo is without braces: a route has it among its own.
func (q *requestRecord) appendTo(b []byte) []byte {
	b = appendNumber(b, `"op":`, uint32(q.Op))
	b = appendNumber(b, `,"base":`, uint32(q.Base))
	b = appendAbove0(b, `,"flags":`, uint32(q.Flags))
	b = appendNumber(b, `,"sequence":`, q.Sequence)
	return appendAbove0(b, `,"purpose":`, uint32(q.Purpose))
}

func (r *routeRecord) appendTo(b []byte) []byte {
	b = r.bindingRecord.appendTo(append(b, '{'))
	b = r.requestRecord.appendTo(append(b, ','))
	b = appendNumber(b, `,"index":`, uint32(r.Index))
	b = appendNumber(b, `,"count":`, uint32(r.Count))
	b = r.Echo.appendTo(b)
	return append(b, '}')
}

// appendTo is with the name before it, or nothing at all.
func (e *echoRecord) appendTo(b []byte) []byte {
	if e == nil {
		return b
	}
	b = appendNumber(b, `,"echo":{"change":`, uint32(e.Change))
	b = appendTrue(b, `,"failed":`, e.Failed)
	return append(b, '}')
}

// appendTo is without braces, as that of a request.
func (r *bindingRecord) appendTo(b []byte) []byte {
	b = append(b, `"vn":`...)
	b = appendText(b, r.VN)
	b = appendAbove0(b, `,"vni":`, r.VNI)
	b = append(b, `,"mac":`...)
	b = appendText(b, r.MAC)
	b = append(b, `,"ip":`...)
	if ip, _ := r.IP.MarshalText(); r.IP.Zone() == "" {
		b = append(append(append(b, '"'), ip...), '"')
	} else {
		b = appendText(b, string(ip))
	}
	if p := r.Policy; p != nil {
		b = appendNumber(b, `,"policy":{"type":`, p.Type)
		b = appendNumber(b, `,"version":`, uint32(p.Version))
		b = appendNumber(b, `,"format":`, uint32(p.Format))
		b = append(b, '}')
	}
	if c := r.Credential; c != nil {
		b = appendNumber(b, `,"credential":{"key_id":`, uint32(c.KeyID))
		b = append(b, `,"tag":"`...)
		b = base64.StdEncoding.AppendEncode(b, c.Tag)
		b = append(b, `"}`...)
	}
	if r.Expiry != nil {
		b = appendNumber(b, `,"expiry":`, *r.Expiry)
	}
	return b
}

func (r *bindingRecord) appendWhole(b []byte) []byte {
	return append(r.appendTo(append(b, '{')), '}')
}

func (a *ackedRecord) appendTo(b []byte) []byte {
	b = appendNumber(b, `{"state":`, uint32(a.State))
	b = appendNumber(b, `,"op":`, uint32(a.Op))
	b = appendNumber(b, `,"sequence":`, a.Sequence)
	if len(a.Bindings) > 0 {
		b = append(b, `,"bindings":`...)
		b = appendList(b, a.Bindings, (*bindingRecord).appendWhole)
	}
	return append(b, '}')
}

func (a *answerRecord) appendTo(b []byte) []byte {
	start := len(b)
	b = appendTrue(b, `,"answered":`, a.Answered)
	b = appendAbove0(b, `,"status":`, uint32(a.Status))
	b = appendAbove0(b, `,"reason":`, uint32(a.Reason))
	b = appendAbove0(b, `,"state":`, uint32(a.State))
	b = appendAbove0(b, `,"lifetime_s":`, uint32(a.Lifetime))
	b = appendAbove0(b, `,"told":`, uint32(a.Told))
	if len(b) == start {
		return append(b, "{}"...)
	}
	b[start] = '{' // in place of the first comma
	return append(b, '}')
}

func (t *tagRecord) appendTo(b []byte) []byte {
	b = append(b, `{"vn":`...)
	b = appendText(b, t.VN)
	b = appendNumber(b, `,"type":`, uint32(t.Type))
	b = appendTrue(b, `,"ps":`, t.PS)
	b = appendAbove0(b, `,"pcp":`, uint32(t.PCP))
	b = appendAbove0(b, `,"vid":`, uint32(t.VID))
	b = appendNumber(b, `,"change":`, uint32(t.Change))
	b = t.Echo.appendTo(b)
	b = append(b, `,"mac":`...)
	b = appendText(b, t.MAC.String())
	b = appendTrue(b, `,"applied":`, t.Applied)
	return append(b, '}')
}

func appendList[T any](b []byte, list []T, element func(*T, []byte) []byte) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(&list[i], b)
	}
	return append(b, ']')
}

func appendNumber(b []byte, name string, n uint32) []byte {
	return strconv.AppendUint(append(b, name...), uint64(n), 10)
}

// appendAbove0 and appendTrue are omitempty.
func appendAbove0(b []byte, name string, n uint32) []byte {
	if n == 0 {
		return b
	}
	return appendNumber(b, name, n)
}

func appendTrue(b []byte, name string, yes bool) []byte {
	if !yes {
		return b
	}
	return append(append(b, name...), "true"...)
}

// appendText appends a string in quotes. Names are mostly as they are.
func appendText(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // of a string there is no error
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
