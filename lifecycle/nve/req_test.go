package nve

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// One test per sentence of §3.3 that says what the NVE does; docs/requirements.md has the sentences. Each is a story of testdata.

// story tells one story of a file and holds it against what is written there.
func story(t *testing.T, file, name string) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", file+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == name {
			if got := tell(t, string(f.Data)); got != string(f.Data) {
				t.Errorf("the story goes otherwise:\n%s", difference(string(f.Data), got))
			}
			return
		}
	}
	t.Fatalf("%s has no story %q", file, name)
}

func TestReq_3_3_NVETellsWhatItDoesByItself(t *testing.T) {
	story(t, "kernel", "the kernel loses an entry")
}

func TestReq_3_3_1_NVEInstallsAndDoesNotActivate(t *testing.T) {
	story(t, "fabric", "type 3 per VN with a member, and the flood list")
}

func TestReq_3_3_1_NVETellsWhichMACBelongsToWhichVN(t *testing.T) {
	story(t, "requests", "several VNs with one MAC and IP each")
}

func TestReq_3_3_1_NVEAnswersFailedAuthorization(t *testing.T) {
	story(t, "requests", "not allowed at that TES")
}

func TestReq_3_3_1_NVEAnswersConflictPolicies(t *testing.T) {
	story(t, "requests", "two policies on one MAC")
}

func TestReq_3_3_1_NVEAnswersNonSufficientResources(t *testing.T) {
	story(t, "kernel", "the kernel refuses one of two")
}

func TestReq_3_3_2_NVEActivatesWhatIsPreInstalled(t *testing.T) {
	story(t, "life", "full")
}

func TestReq_3_3_2_NVEUpdatesWhatDiffersFromPreAssociation(t *testing.T) {
	story(t, "requests", "changed from pre-associated")
}

func TestReq_3_3_2_NVEDoesAllWithoutPreAssociation(t *testing.T) {
	story(t, "life", "simplest")
}

func TestReq_3_3_2_NVEUpdatesOnlyTheTimerForTheSameAssociation(t *testing.T) {
	story(t, "ageing", "ASSOCIATE with the same parameters refreshes")
}

func TestReq_3_3_2_NVEUpdatesWhatAnotherAssociationChanges(t *testing.T) {
	story(t, "requests", "a complete set replaces the one before")
}

func TestReq_3_3_2_NVEAnswersWhenTheKernelHasIt(t *testing.T) {
	story(t, "kernel", "SUCCESS waits for the kernel")
}

func TestReq_3_3_3_NVEInactivatesAndKeeps(t *testing.T) {
	story(t, "requests", "unknown VM, wrong state")
}

func TestReq_3_3_4_NVEDoesNothingOnResumeWithoutSuspension(t *testing.T) {
	story(t, "requests", "unknown VM, wrong state")
}

func TestReq_3_3_5_NVEKeepsForAFailedEmigration(t *testing.T) {
	story(t, "moves", "source: roll-back after the target had activated")
}

func TestReq_3_3_5_NVEEmigratesFromAnyState(t *testing.T) {
	story(t, "moves", "source: of a pre-associated and a suspended VM")
}

func TestReq_3_3_5_NVEWaitsForTermination(t *testing.T) {
	story(t, "moves", "source: source first")
}

func TestReq_3_3_6_NVETreatsImmigrationLikeAssociation(t *testing.T) {
	story(t, "moves", "target: source first")
}

func TestReq_3_3_6_NVEAnswersFailAndTheVMStays(t *testing.T) {
	story(t, "moves", "inside one edge, the target fails in the kernel")
}

func TestReq_3_3_7_NVERemovesAllState(t *testing.T) {
	story(t, "life", "simplest")
}

func TestReq_3_3_8_NVERemovesWhatIsIdle(t *testing.T) {
	story(t, "ageing", "each state has its lifetime")
}

func TestReq_3_3_8_NVEUpdatesTheTimerOnKeepAlive(t *testing.T) {
	story(t, "requests", "K refreshes the lifetime and changes nothing else")
}

func TestReq_3_3_1_NVEReservesAtPreAssociation(t *testing.T) {
	story(t, "quota", "reserved at pre-association, free again after the end")
}

func TestReq_3_3_1_NVEAnswersNonSufficientResourcesBeforeAnythingIsTouched(t *testing.T) {
	story(t, "quota", "rules and bandwidth are resources of the edge")
}

func TestReq_3_3_1_NVEThatDrainsTakesNobodyNew(t *testing.T) {
	story(t, "drain", "nobody new")
	story(t, "drain", "who is there is told, goes on, and is told when it is over")
}

func TestReq_3_3_9_NVETellsAChangedIndicator(t *testing.T) {
	story(t, "tag", "a change that everybody applies")
}

func TestReq_3_3_9_NVETakesTheProcessingResult(t *testing.T) {
	story(t, "tag", "a TES that could not apply it")
}

func TestReq_3_4_1_NVENotifiesTheLocalTag(t *testing.T) {
	story(t, "tag", "told from Pre-associated on, and kept for the VN")
}

func TestReq_3_4_1_NVENotifiesThePCP(t *testing.T) {
	story(t, "tag", "a priority that changes")
}
