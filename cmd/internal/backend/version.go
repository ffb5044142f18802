package backend

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/build"
	"github.com/tns-project/tns/evpn"
)

// Version is the build of this daemon.
func Version(daemon string, id evpn.RouterID, started time.Time) *tnsv1.VersionResponse {
	return &tnsv1.VersionResponse{
		Daemon: daemon, Id: id.String(), Version: build.Version(), GoVersion: build.Go(), Started: timestamppb.New(started),
	}
}
