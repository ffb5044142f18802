package nve

// pcpOf is the priority (802.1p) that frames of a binding are to have: that of its policy.
func (e *Edge) pcpOf(*binding) uint8 { return 0 }
