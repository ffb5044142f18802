package dataplanetest_test

import (
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// world is the twin as a World.
type world struct{ *dataplanetest.Twin }

func (w world) Kernel() dataplane.Kernel                      { return w.Twin }
func (w world) Networks() []dataplane.Network                 { return dataplanetest.Networks() }
func (w world) Foreign(t *testing.T, e dataplane.Entry)       { w.Twin.Foreign(e) }
func (w world) Holds(t *testing.T, e dataplane.Entry) bool    { return w.Twin.Holds(e) }
func (w world) Tamper(t *testing.T, k dataplane.Key)          { w.Twin.Tamper(k) }
func (w world) DeleteVXLAN(t *testing.T, n dataplane.Network) { w.Twin.DeleteVXLAN(n.VNI) }
func (w world) Restart(t *testing.T) dataplane.Kernel         { return w.Twin }

func TestTwin(t *testing.T) {
	dataplanetest.Contract(t, func(t *testing.T) dataplanetest.World { return world{dataplanetest.New()} })
}

func TestTwinKeepsPolicies(t *testing.T) {
	dataplanetest.PolicyContract(t, func(t *testing.T) dataplanetest.World { return world{dataplanetest.New()} })
}
