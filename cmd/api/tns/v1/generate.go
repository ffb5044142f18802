package tnsv1

// The plugins are pinned in .ci/tools; `make generate` puts them first in PATH.
//go:generate protoc --proto_path=. --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative tns.proto
