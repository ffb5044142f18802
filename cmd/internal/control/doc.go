// Package control is the daemons' control socket, server and client in one place.
//
// A daemon listens ([Listen]) before it does anything else, which also tells it whether another one runs, and serves its backend, an
// implementation of the generated service, as one of its parts ([Server.Run]). tnsctl finds the socket ([Find]) and connects ([Dial]).
//
// Errors keep their kind across the wire: a backend answers with an [Error] of a kind such as [ErrNotFound], the server sends it as a gRPC
// status, and the client hands out the same kind with the same text. A refusal by the edge is no error: it is a result.
//
// The socket is a unix socket of mode 0660. Who may open it may do everything; there is no other authorization.
package control
