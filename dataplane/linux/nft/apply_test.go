package nft

import (
	"testing"

	"github.com/google/nftables"

	"github.com/tns-project/tns/dataplane"
)

// Nothing is left to be done of what could not be prepared as a whole: else the next transaction would do it, too.
func TestWhatCannotBePreparedIsForgotten(t *testing.T) {
	table, err := Open(namespace(t))
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	if err := table.Ensure([]string{"p1"}, nil, func(string) ([]dataplane.MAC, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	terms := dataplane.VMPolicy{PCP: dataplane.Some(3)}
	on := func(device string) Policy {
		return Policy{VM: VM{device, dataplane.MAC{2, 0, 0, 0, 0, 1}}, Policy: &terms, Digest: terms.Digest(), InForce: true}
	}
	if err := table.Apply([]Policy{on("p1"), on("p2")}, nil); err == nil {
		t.Fatal("a policy on a port that is not there is in force")
	}
	table.conn.read.AddTable(&nftables.Table{Name: "others", Family: nftables.TableFamilyINet}) // so that all is read again
	if err := table.conn.read.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply([]Policy{on("p1")}, nil); err != nil {
		t.Fatal(err)
	}
	rules, err := table.conn.read.GetRules(ourTable(), plainChain("p1/"+toPart))
	if err != nil || len(rules) != 2 {
		t.Errorf("%d rules for frames to VMs, want 2; %v", len(rules), err)
	}
}
