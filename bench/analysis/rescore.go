package analysis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/reports/results"
)

// rescored are the keys of a suite that change scores and not records.
var rescored = []string{"protocol.convention", "metrics", "resamples", "seed"}

// Rescore computes the results of a run folder again from its records alone, without model and pictures, and writes
// them with the records and panels to the folder out. set changes keys of the suite that no record depends on:
// protocol.convention, metrics, resamples, seed.
func Rescore(dir, out string, set map[string]string) (*results.Run, error) {
	s, err := readShard(dir)
	if err != nil {
		return nil, err
	}
	defer s.log.Close()
	run, suite := s.run, s.suite
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(rescored, key) {
			faults = append(faults, fmt.Errorf("%s changes records, not scores: measure again (these may change: %s)", key,
				strings.Join(rescored, ", ")))
			continue
		}
		faults = append(faults, suite.Set(key, set[key]))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	run.Suite.Text, run.Suite.SHA256, run.Suite.Metrics = string(suite.Canonical()), suite.Fingerprint(), suite.Metrics
	run.Protocol = tasks.ProtocolOf(suite.Protocol)
	for i := range run.Datasets {
		for _, d := range suite.Datasets {
			if d.Name == run.Datasets[i].Name {
				run.Datasets[i].Protocol = tasks.ProtocolOf(suite.ProtocolOf(d))
			}
		}
	}
	planned, err := records.Planned(run)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := clearMerged(out, []string{dir}, s.log.Header, seenIn(s.records, dir)); err != nil {
		return nil, err
	}
	if err := s.write([]string{dir}, out); err != nil {
		return nil, err
	}
	return run, tasks.Finish(run, s.records, planned, out, suite)
}
