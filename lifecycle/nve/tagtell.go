package nve

import (
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tag"
)

// A VM is told of a new VID when the kernel takes it: its TES may use it within a millisecond. Nor does a change go on before: those that it has not told have not answered.

// retellWhenTaken tells the VMs of a VN on a segment its new VID, once the kernel has what was asked.
func (e *Edge) retellWhenTaken(k tag.Key, asked []written) {
	waits := make(map[dataplane.Key]dataplane.Generation, len(asked))
	for _, w := range asked {
		waits[w.key] = w.generation
	}
	e.tagTells[k] = waits
	if len(waits) == 0 {
		e.retellNow(k)
	}
}

// retellNow begins the time in which they are to answer, too.
func (e *Edge) retellNow(k tag.Key) {
	delete(e.tagTells, k)
	t := e.book.Told(k, e.now)
	e.saveTags()
	e.armTag(k, t)
	e.retell(k, t)
	e.stepTag(k)
}

// tagResult takes the kernel's answer for a Tag. One that it refuses is tried again, and answered for again.
func (e *Edge) tagResult(res dataplane.Result) {
	v := e.vns[evpn.VNI(res.Key.VNI)]
	if v == nil || res.Err != nil {
		return
	}
	k := tag.Key{Segment: v.segmentOf(res.Key.Port), VNI: uint32(v.VNI)}
	waits := e.tagTells[k]
	if g, ok := waits[res.Key]; !ok || res.Generation < g {
		return
	}
	delete(waits, res.Key)
	if len(waits) == 0 {
		e.retellNow(k)
	}
}

// untaken reports whether a change waits for the kernel. After the time that TESs have for their answers it goes on all the same.
func (e *Edge) untaken(k tag.Key, t tag.Tag) bool {
	if _, waits := e.tagTells[k]; !waits {
		return false
	}
	if t.Changing() && !e.now.Before(t.Until) {
		e.retellNow(k)
	}
	return true
}
