package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"

	"github.com/tns-project/tns/lifecycle/policy"
)

// Policies is the profiles that requests can name, in the order of the file. Baselines are with their VNs.
type Policies struct {
	Profiles []*policy.Profile
}

// Find is the profile of an ID; nil if there is none.
func (p *Policies) Find(id policy.ID) *policy.Profile {
	if i := slices.IndexFunc(p.Profiles, func(q *policy.Profile) bool { return q.ID == id }); i >= 0 {
		return p.Profiles[i]
	}
	return nil
}

// maxPolicies is the longest file of policies that is read, in octets.
const maxPolicies = 16 << 20

func readPolicies(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPolicies+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(text) > maxPolicies {
		return nil, fmt.Errorf("longer than %d octets", maxPolicies)
	}
	return text, nil
}

// policiesFile is what the file of policies says, whose baselines it gives to the VNs; nil if there is none, or it is withheld. The
// problems of that file are reported under its own name.
func (c *checker) policiesFile(path *string, vns []VN) *Policies {
	name, ok := allow(c, "policies", path, policiesPath)
	if !ok {
		return nil
	}
	text, err := c.files.policies(name)
	if errors.Is(err, errWithheld) {
		c.broken = append(c.broken, "policies") // nothing that depends on it can be judged
		return nil
	}
	if err != nil {
		c.report("policies", path, err.Error(), "want a file of policies that can be read")
		return nil
	}
	own := &checker{file: name}
	raw := new(rawPolicies)
	if err := own.read(text, raw); err != nil {
		c.report("policies", path, err.Error(), "")
		return nil
	}
	p := own.policies(raw, vns)
	if err := own.err(keysOf(reflect.TypeFor[rawPolicies]())); err != nil {
		c.nested = append(c.nested, err)
		c.broken = append(c.broken, "policies")
	}
	for i := range vns {
		vns[i].Baseline = p.baselineOf(vns[i])
	}
	return &Policies{p.Profiles}
}

// defaultPolicies checks that each VN's is there for it.
func (c *checker) defaultPolicies(raw []rawEdgeVN, n *NVE) {
	for i := range raw {
		key, text, vn := join(index("vns", i), "default_policy"), raw[i].Policy, n.VNs[i]
		if text == nil || !c.sound(key) || !c.sound("policies") {
			continue
		}
		if n.Policies == nil {
			c.report("policies", nil, "missing", fmt.Sprintf("want %s, where %s is", policiesPath.right, key))
			continue
		}
		p := n.Policies.Find(vn.DefaultPolicy)
		switch {
		case p == nil:
			c.report(key, text, "there is no such profile", "want the type and version of one in the file of policies")
		case !p.Usable(vn.Name):
			c.report(key, text, fmt.Sprintf("profile %v is not for that VN", p), "list the VN in its vns:, or want another one")
		default:
			if conflict := policy.Against(p, vn.Baseline); conflict != nil {
				c.report(key, text, conflict.Error(), "")
			}
		}
	}
}
