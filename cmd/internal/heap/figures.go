package heap

import "runtime/metrics"

// figures is what the runtime tells of the heap, in octets.
type figures struct {
	allocated uint64 // ever
	live      uint64 // was in use at the last collection
	objects   uint64 // in use, and garbage since
	free      uint64 // not given back
}

// read asks the runtime, which stops nothing for it.
func read() figures {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	return figures{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()}
}

// What pays for a collection, in octets.
const (
	leastGain = 4 << 20  // of garbage and free pages,
	leastPart = 4        // if it is one part of the heap of so many;
	leastHeap = 16 << 20 // after a flood any heap that is larger
)

// worth reports whether giving back may pay. What has come since the last collection counts as garbage; if it is not, the collection finds that out, and the
// next one is only due after as much again. What a flood took away is seen by the next collection only, and that may be long after.
func (f figures) worth(flooded bool) bool {
	if flooded && f.objects+f.free >= leastHeap {
		return true
	}
	gain := f.free
	if f.objects > f.live {
		gain += f.objects - f.live
	}
	return gain >= leastGain && gain >= (f.objects+f.free)/leastPart
}
