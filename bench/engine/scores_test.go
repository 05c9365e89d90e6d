package engine

import (
	"math"
	"slices"
	"strings"
	"testing"

	"ovbench/bench/analysis"
	"ovbench/bench/tasks"
)

// The statistics are the scores of the cells: on the images as they are, each gives the value in the cell. On the whole list of
// tasks, so that a new score without a statistic is at least known here.
func TestStatisticsAreTheScores(t *testing.T) {
	// Scores of which no interval and no comparison is made.
	without := []string{"fg-mIoU-image", "CP@", "CR@", "OP@", "OR@", "mAP-difficult"}
	for name, task := range tasks.All {
		r := demo(t)
		r.Suite.Task = name
		run, err := measure(t, t.Context(), r, quiet{})
		if err != nil {
			t.Fatal(err)
		}
		_, recs, err := analysis.Load(r.Out)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range run.Cells {
			ms, err := task.Statistics(tasks.Context{Run: run, Dataset: run.Datasets[0], Method: c.Method}, recs)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range c.Scores {
				m, err := tasks.Find(ms, c.Convention, s.Name)
				if err != nil {
					if !slices.ContainsFunc(without, func(w string) bool { return strings.HasPrefix(s.Name, w) }) {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				stat, err := m.Pooled()
				if err != nil {
					t.Errorf("%s, %s: %v", name, s.Name, err)
					continue
				}
				if v, ok := stat(slices.Repeat([]int32{1}, len(recs))); !ok || math.Abs(v-s.Value) > 1e-12 {
					t.Errorf("%s, %s %s: the statistic is %v, %v, the score %v", name, c.Convention, s.Name, v, ok, s.Value)
				}
				if s.Low == nil && !m.NoInterval {
					t.Errorf("%s, %s %s has no interval", name, c.Convention, s.Name)
				}
				if m.Each == nil {
					continue
				}
				if each, err := m.Each(); err != nil || len(each) != len(recs) {
					t.Errorf("%s, %s: %d values of single images, %v", name, s.Name, len(each), err)
				}
			}
		}
	}
}

// Load gives the records behind the scores: neither failed samples nor those of a longer plan that the folder saw before.
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
