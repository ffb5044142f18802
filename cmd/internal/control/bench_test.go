package control

import (
	"context"
	"path/filepath"
	"testing"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

func (b backend) Operate(context.Context, *tnsv1.OperateRequest) (*tnsv1.OperateResponse, error) {
	return &tnsv1.OperateResponse{Status: tnsv1.Status_STATUS_SUCCESS}, b.err
}

// BenchmarkOperate is one call, there and back, both ends in this process.
func BenchmarkOperate(b *testing.B) {
	c := dial(b, serve(b, filepath.Join(directory(b), "sock"), backend{}))
	q := &tnsv1.OperateRequest{
		Vmid: "746e732d-6265-6e63-6800-000000000001", Op: tnsv1.Op_OP_ASSOCIATE,
		Nics: []*tnsv1.NIC{{Vn: &tnsv1.VN{Id: &tnsv1.VN_Name{Name: "vn1"}}, Mac: "02:00:00:00:00:01"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Operate(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}
