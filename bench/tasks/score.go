package tasks

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// Level is the confidence of intervals.
const Level = 0.95

// Cell is the scores of one convention, before they are computed.
type Cell struct {
	Convention string
	Statistics []Statistic
	// describe adds to computed scores what they rest on: counts, classes, curves, warnings.
	describe func(cell *results.Cell) error
}

// Statistics are those of all cells.
func Statistics(cells []Cell) (out []Statistic) {
	for _, c := range cells {
		out = append(out, c.Statistics...)
	}
	return out
}

// Score turns records into the cells of a run, data set by data set and method by method. It depends on the records
// alone, not on their order. The suite says the task, which scores are wanted, and how many bootstrap resamples of the
// images give intervals; 0 gives none.
func Score(run *results.Run, suite *configs.Suite, recs []records.Record) ([]results.Cell, error) {
	t, ok := All[suite.Task]
	if !ok {
		return nil, fmt.Errorf("task %q is not known", suite.Task)
	}
	recs = slices.Clone(recs)
	slices.SortFunc(recs, records.ByIndex)
	made := make([][]results.Cell, len(run.Datasets)*len(run.Methods))
	faults := make([]error, len(made)) // in order, whichever comes first
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i, d := range run.Datasets {
		of := slices.DeleteFunc(slices.Clone(recs), func(r records.Record) bool { return r.Dataset != d.Name })
		lots := metrics.NewLots(len(of), suite.Seed)
		for j, m := range run.Methods {
			at := i*len(run.Methods) + j
			group.Go(func() (err error) {
				made[at], err = scoreOne(Context{Run: run, Dataset: d, Method: m.Name}, t, suite, of, lots)
				if err != nil {
					faults[at] = fmt.Errorf("%s, %s: %w", d.Name, m.Name, err)
				}
				return nil
			})
		}
	}
	_ = group.Wait()
	return slices.Concat(made...), cmp.Or(faults...)
}

// scoreOne gives the cells of one data set and method.
func scoreOne(c Context, t Task, suite *configs.Suite, recs []records.Record, lots *metrics.Lots) (out []results.Cell,
	err error) {
	cells, err := t.Cells(c, recs)
	if err != nil {
		return nil, err
	}
	said := map[string]bool{} // what holds for all cells of the method is said once
	for _, cell := range cells {
		made, err := cell.compute(suite, len(recs), lots)
		if err != nil {
			return nil, err
		}
		if made == nil {
			continue
		}
		made.Dataset, made.Method = c.Dataset.Name, c.Method
		countSamples(made, c.Run, c.Dataset)
		made.Warnings = slices.DeleteFunc(made.Warnings, func(w string) bool {
			again := said[w]
			said[w] = true
			return again
		})
		out = append(out, *made)
	}
	return out, nil
}

// compute computes the scores that a suite wants; it is nil if there is none of them.
func (c Cell) compute(suite *configs.Suite, images int, lots *metrics.Lots) (*results.Cell, error) {
	wanted := c.Statistics
	if len(suite.Metrics) > 0 {
		wanted = nil
		for _, name := range suite.Metrics {
			if s, err := Find(c.Statistics, c.Convention, name); err == nil {
				wanted = append(wanted, s)
			}
		}
		if len(wanted) == 0 {
			return nil, nil
		}
	}
	cell := &results.Cell{Task: suite.Task, Convention: c.Convention, Images: images, Counts: map[string]int{}}
	if images > 1 && images < 100 && suite.Resamples > 0 {
		cell.Warnings = []string{
			fmt.Sprintf("intervals from %d images are rough; a hundred or more make them useful", images),
		}
	}
	var err error
	if cell.Scores, err = Evaluate(wanted, images, suite.Resamples, lots); err != nil {
		return nil, err
	}
	return cell, c.describe(cell)
}

// countSamples adds to a cell's counts the samples of the split that are not behind its scores: skipped, because they
// were not planned (--limit, --only); failed; missing, because the run was interrupted or is one shard of several.
func countSamples(cell *results.Cell, run *results.Run, d results.Dataset) {
	if d.Official > 0 && cell.Images != d.Official {
		cell.Warnings = append(cell.Warnings,
			fmt.Sprintf("%d images, not the %d of the official split %q", cell.Images, d.Official, d.Split))
	}
	planned, err := records.ParseRanges(d.Samples)
	if err != nil || d.Samples == "" {
		return // a run that does not say what it planned
	}
	failed := run.Failed(d.Name)
	maps.Copy(cell.Counts, map[string]int{
		"skipped": max(0, d.Images-len(planned)), "failed": failed, "missing": max(0, len(planned)-cell.Images-failed),
	})
}
