package wire

import "iter"

// Table holds routes compactly: what a peer sent, or what it was sent. It is not safe for concurrent use.
type Table struct{}

// NewTable is an empty table.
func NewTable() *Table { panic("in the next commit") }

// Apply brings changes in, marks the routes that they announce as renewed, and returns those changes that made a difference: not an announcement with
// the attributes and NLRI that stand, and not a withdrawal of what is not there.
func (t *Table) Apply(changes []Change) []Change { panic("in the next commit") }

// Age makes every route stale until it is announced again.
func (t *Table) Age() { panic("in the next commit") }

// Sweep removes the family's routes that are stale, and returns their withdrawals.
func (t *Table) Sweep(f Family) []Change { panic("in the next commit") }

// All is every route, as announcements.
func (t *Table) All() iter.Seq[Change] { panic("in the next commit") }

// Len is the number of a family's routes.
func (t *Table) Len(f Family) int { panic("in the next commit") }

// Diff is what makes old into new. Either may be nil: an empty table.
func Diff(old, new *Table) []Change { panic("in the next commit") }
