package analysis

import (
	"fmt"
	"slices"

	"ovbench/metrics"
	"ovbench/reports"
	"ovbench/reports/results"
)

// Stars tests every method of every run against a baseline of the same run, image by image, from records alone. It
// adjusts over all tests. scores are those to test; none: the headline of each cell.
func Stars(dirs []string, baseline string, scores []string) (*reports.Tests, error) {
	out := &reports.Tests{Baseline: baseline, P: map[reports.TestedScore]float64{}}
	var order []reports.TestedScore
	var p []float64
	for i, dir := range dirs {
		run, err := results.Read(dir)
		if err != nil {
			return nil, err
		}
		if run.Method(baseline) == nil {
			continue
		}
		for _, m := range run.Methods {
			if m.Name == baseline {
				continue
			}
			c, err := Compare(CompareRequest{A: dir, B: dir, Methods: []string{baseline, m.Name}, Scores: scores,
				Flips: 10000})
			if err != nil {
				return nil, err
			}
			for _, x := range c.Cells {
				if x.P != nil {
					order = append(order, reports.TestedScore{Run: i, Dataset: x.Dataset, Task: x.Task,
						Convention: x.Convention, Method: m.Name, Metric: x.Score})
					p = append(p, *x.P)
				}
			}
		}
	}
	if len(p) == 0 {
		return nil, fmt.Errorf("no method can be tested against %q: no run has it beside others, with a score of "+
			"single images", baseline)
	}
	adjusted, err := metrics.Holm(p)
	if err != nil {
		return nil, err
	}
	for k, x := range slices.All(order) {
		out.P[x] = adjusted[k]
	}
	return out, nil
}
