// Package records answers: what does a run leave behind of each sample, and how is it kept?
//
// A [Record] is one line of records.jsonl in a run folder: for each method the evidence from which every score is
// computed. A [File] is open for appending; a [Log] reads one. Scores are pure functions of records, so a
// run that was interrupted, resumed, sharded or merged gives equal numbers.
package records
