package main

import (
	"fmt"
	"strings"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// The API's numbers in the words that package evpn has for them; an unknown number is printed as it is.

var opWords = map[tnsv1.Op]string{
	tnsv1.Op_OP_PRE_ASSOCIATE: "pre-associate",
	tnsv1.Op_OP_ASSOCIATE:     "associate",
	tnsv1.Op_OP_SUSPEND:       "suspend",
	tnsv1.Op_OP_RESUME:        "resume",
	tnsv1.Op_OP_EMIGRATE:      "emigrate",
	tnsv1.Op_OP_TERMINATE:     "terminate",
	tnsv1.Op_OP_KEEP_ALIVE:    "keep-alive",
}

var stateWords = map[tnsv1.State]string{
	tnsv1.State_STATE_NULL:           "null",
	tnsv1.State_STATE_PRE_ASSOCIATED: "pre-associated",
	tnsv1.State_STATE_ASSOCIATED:     "associated",
	tnsv1.State_STATE_SUSPENDED:      "suspended",
	tnsv1.State_STATE_EMIGRATING:     "emigrating",
	tnsv1.State_STATE_TERMINATED:     "terminated",
}

var statusWords = map[tnsv1.Status]string{
	tnsv1.Status_STATUS_SUCCESS:    "success",
	tnsv1.Status_STATUS_FAIL:       "fail",
	tnsv1.Status_STATUS_FAIL_KEPT:  "fail-kept",
	tnsv1.Status_STATUS_PENDING:    "pending",
	tnsv1.Status_STATUS_ACCEPTED:   "accepted",
	tnsv1.Status_STATUS_NO_ANSWER:  "no-answer",
	tnsv1.Status_STATUS_NO_SESSION: "no-session",
}

var markWords = map[tnsv1.Mark]string{
	tnsv1.Mark_MARK_NONE:      "",
	tnsv1.Mark_MARK_ORPHANED:  "orphaned",
	tnsv1.Mark_MARK_RESTORED:  "restored",
	tnsv1.Mark_MARK_OUTRANKED: "outranked",
	tnsv1.Mark_MARK_WAITING:   "waiting",
	tnsv1.Mark_MARK_NO_ANSWER: "no-answer",
}

var entryKindWords = map[tnsv1.FDBEntry_Kind]string{
	tnsv1.FDBEntry_KIND_LOCAL:    "local",
	tnsv1.FDBEntry_KIND_REMOTE:   "remote",
	tnsv1.FDBEntry_KIND_FLOOD:    "flood",
	tnsv1.FDBEntry_KIND_NEIGHBOR: "neighbor",
	tnsv1.FDBEntry_KIND_PORT:     "port",
}

var entryStateWords = map[tnsv1.FDBEntry_State]string{
	tnsv1.FDBEntry_STATE_INSTALLED: "installed",
	tnsv1.FDBEntry_STATE_PENDING:   "pending",
	tnsv1.FDBEntry_STATE_FAILED:    "failed",
	tnsv1.FDBEntry_STATE_DUPLICATE: "duplicate",
}

var tagWords = map[uint32]string{0: "untagged", 1: "802.1Q"}

// word is the word of a number.
func word[K interface {
	comparable
	~int32 | ~uint32
}](words map[K]string, k K) string {
	if w, ok := words[k]; ok {
		return w
	}
	return fmt.Sprint(int64(k))
}

// policyWords is ID or ID:VERSION, as --nic takes it.
func policyWords(p *tnsv1.Policy) string {
	switch {
	case p == nil:
		return ""
	case p.Version == 0:
		return fmt.Sprint(p.Id)
	}
	return fmt.Sprintf("%d:%d", p.Id, p.Version)
}

// vnWords is a VN for people: its name, its number, or both.
func vnWords(name string, vni uint32) string {
	switch {
	case vni == 0:
		return name
	case name == "":
		return fmt.Sprint(vni)
	}
	return fmt.Sprintf("%s (%d)", name, vni)
}

func join(list []string) string { return strings.Join(list, ",") }
