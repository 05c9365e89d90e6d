package engine

import (
	"testing"

	"ovbench/bench/analysis"
)

// Load gives the records behind the scores: neither failed samples nor those of a longer plan that the folder saw
// before.
func TestLoad(t *testing.T) {
	r := demo(t)
	r.Limit = 4
	if _, err := measure(t, t.Context(), r, quiet{}); err != nil {
		t.Fatal(err)
	}
	r.Limit, r.Resume = 2, true
	run, err := measure(t, t.Context(), r, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	_, recs, err := analysis.Load(r.Out)
	if err != nil || len(recs) != 2 || run.Cells[0].Images != 2 || recs[0].Index != 0 || recs[1].Index != 1 {
		t.Errorf("%d records, %d images scored, %v", len(recs), run.Cells[0].Images, err)
	}
	if c := run.Cells[0].Counts; c["skipped"] != 6 || c["missing"] != 0 || c["failed"] != 0 {
		t.Errorf("counts %v", c)
	}
}
