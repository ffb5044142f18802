package gobgp

import (
	"context"
	"fmt"

	api "github.com/osrg/gobgp/v3/api"
)

// addPolicies installs what keeps peers' routes to themselves. GoBGP has global policies only, and they apply to our own routes too, so each names
// what it rejects. They are there before the first peer.
//
//   - Import: EVPN routes of any neighbour. They stay in Adj-RIB-In, where the watch finds them. Memberships (RFC 4684) are let in: GoBGP takes a
//     rejected one for a withdrawal, and would not send the routes that it asks for.
//   - Export: memberships of others, which a speaker that passes on no routes must not pass on either.
func (s *Speaker) addPolicies(ctx context.Context) error {
	reject := &api.Actions{RouteAction: api.RouteAction_REJECT}
	import_ := &api.Policy{Name: "tns-import", Statements: []*api.Statement{{
		Name: "tns-import-evpn", Actions: reject, Conditions: &api.Conditions{
			NeighborSet: &api.MatchSet{Type: api.MatchSet_ANY, Name: "tns-neighbors"},
			AfiSafiIn:   []*api.Family{familyEVPN},
		},
	}}}
	export := &api.Policy{Name: "tns-export"}
	for _, from := range []api.Conditions_RouteType{api.Conditions_ROUTE_TYPE_INTERNAL, api.Conditions_ROUTE_TYPE_EXTERNAL} {
		export.Statements = append(export.Statements, &api.Statement{
			Name: fmt.Sprintf("tns-export-rtc-%d", from), Actions: reject, Conditions: &api.Conditions{
				AfiSafiIn: []*api.Family{familyRTC},
				RouteType: from,
			},
		})
	}
	set := &api.DefinedSet{DefinedType: api.DefinedType_NEIGHBOR, Name: "tns-neighbors", List: []string{"0.0.0.0/0", "::/0"}}
	if err := s.server.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: set}); err != nil {
		return fmt.Errorf("add neighbour set: %w", err)
	}
	for policy, direction := range map[*api.Policy]api.PolicyDirection{import_: api.PolicyDirection_IMPORT, export: api.PolicyDirection_EXPORT} {
		if err := s.server.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
			return fmt.Errorf("add policy %s: %w", policy.Name, err)
		}
		err := s.server.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Name: "global", Direction: direction, Policies: []*api.Policy{{Name: policy.Name}}, DefaultAction: api.RouteAction_ACCEPT,
		}})
		if err != nil {
			return fmt.Errorf("assign policy %s: %w", policy.Name, err)
		}
	}
	return nil
}
