package tasks

import (
	"strings"
	"testing"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// two is a run of two classes and one method.
func two(method string) *results.Run {
	return &results.Run{
		Datasets: []results.Dataset{{Name: "d", Classes: []string{"x", "y"}, Queries: [][]string{{"x"}, {"y"}}}},
		Methods:  []results.Method{{Name: method}}, Protocol: results.Protocol{Fields: map[string]any{"scale": 100.0}},
	}
}

func TestScoreRefusesForeignRecords(t *testing.T) {
	run := &results.Run{Datasets: []results.Dataset{{Name: "d", Classes: []string{"x", "y"}}},
		Methods: []results.Method{{Name: "m"}}}
	for _, c := range []struct {
		want string
		rec  records.Record
	}{
		{`lacks method "m"`, records.Record{Dataset: "d", ID: "a"}},
		{"", records.Record{Dataset: "d",
			Methods: map[string]records.Evidence{"m": {Confusion: metrics.Sparse{{Truth: 2, Pred: 0, Count: 1}}}}}},
		{"", records.Record{Dataset: "d",
			Methods: map[string]records.Evidence{"m": {Confusion: metrics.Sparse{{Truth: 0, Pred: 0, Count: -1}}}}}},
	} {
		if _, err := Score(run, &configs.Suite{Task: "segmentation", Resamples: 10, Seed: 1},
			[]records.Record{c.rec}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.rec, err, c.want)
		}
	}
}
