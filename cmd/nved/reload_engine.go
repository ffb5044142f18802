package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/lifecycle/nve"
)

// Reload hands the wish to the supervisor, which replaces this process if the configuration can be taken over.
func (b *backend) Reload(ctx context.Context, q *tnsv1.ReloadRequest) (*tnsv1.ReloadResponse, error) {
	o, err := b.reload(ctx, supervisorQuestion{OnlyTell: q.OnlyTell})
	if err != nil {
		return nil, err
	}
	return &tnsv1.ReloadResponse{Number: o.Number, Running: o.Running, Changed: o.Changed, Problems: o.Problems, Elapsed: durationpb.New(o.Elapsed)}, nil
}

// answerSupervisor answers an engineQuestion.
func (b *backend) answerSupervisor(ctx context.Context, question json.RawMessage) (any, error) {
	var q engineQuestion
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	if q.Next == nil {
		taken, against, err := b.edge.TakeServers(ctx, servers(b.config, q.Servers))
		return serversAnswer{Against: against, Taken: taken}, err
	}
	return b.mayReload(ctx, q.Next)
}

// mayReload is what speaks against another configuration: what the edge says, and devices of VNs that VMs are in.
func (b *backend) mayReload(ctx context.Context, source *config.NVESource) (against []string, err error) {
	next, err := source.NVE()
	if err != nil {
		return nil, err
	}
	s, err := b.edge.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if against := devicesInUse(b.config, next, s); len(against) > 0 {
		return against, nil
	}
	return b.edge.MayChange(ctx, edgeConfig(next))
}

// devicesInUse tells which VNs would get other devices although VMs are in them.
func devicesInUse(before, next *config.NVE, s *nve.Snapshot) []string {
	var against []string
	for _, v := range before.VNs {
		var vms []string
		for _, vm := range s.VMs {
			for _, r := range vm.Routes {
				if r.VNI == v.VNI {
					vms = append(vms, fmt.Sprintf("%s at TES %s", vm.VM, vm.TES))
					break
				}
			}
		}
		for _, n := range next.VNs {
			if n.VNI == v.VNI && (n.Bridge != v.Bridge || n.VXLAN != v.VXLAN) && len(vms) > 0 {
				against = append(against, fmt.Sprintf("VN %s cannot have other devices than %s and %s while VMs are in it: %s", v.Name, v.Bridge, v.VXLAN, strings.Join(vms, ", ")))
			}
		}
	}
	return against
}
