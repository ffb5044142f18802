// Package policy is what a VM may send and receive, and how much: profiles that requests name (§3.3.1, POLICY), the baselines of
// virtual networks that no profile may contradict, and what is enforced when both are put together.
//
// A [Profile] is named by the type id and version of a VSI type (802.1Qbg). A [Baseline] belongs to a VN, or to the tenant that VNs
// belong to; [Baseline.Join] makes one of both. [Against] tells whether a profile contradicts a baseline, [Between] whether two profiles
// of one VM's attachments to one VN contradict each other (§3.3.1, CONFLICT POLICIES): a [Conflict] names both sides. [Merge] is what the
// kernel is to do: the baseline's rules first, then the profile's, so that whatever the check has said a baseline's word stands.
//
// A rule has three answers. Deny and Allow end the list, Count only counts. What no rule decides, the default of the direction does.
// [ACL.Decide] says what becomes of a [Frame]; the kernel does the same.
//
// The package does nothing itself and imports the standard library only. Whom a profile applies to is for its users.
package policy
