// Package tnsv1 is version 1 of the daemons' control API, generated from tns.proto. VM managers import it; the unix socket it is served
// on is the key `control` of the daemons' configuration.
//
//	conn, err := grpc.NewClient("unix:///run/tns/tesd.sock", grpc.WithTransportCredentials(insecure.NewCredentials()))
//	…
//	answer, err := tnsv1.NewControlClient(conn).Operate(ctx, &tnsv1.OperateRequest{Vmid: uuid, Op: tnsv1.Op_OP_SUSPEND})
package tnsv1
