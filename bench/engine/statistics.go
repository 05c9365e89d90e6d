package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// statistic is one score of a cell in the form that statistics want. All of it comes from the records a cell is made of.
type statistic struct {
	convention, score string
	// pooled is the score of resampled images; all that is chosen on the data is chosen anew.
	pooled func() (metrics.Statistic, error)
	// each is the score of every image alone, NaN where it is undefined; nil for a score that one image does not have.
	each func() ([]float64, error)
	// events are what a score of hits and misses counts; nil for others.
	events []event
	// sharesEach says that each is also that of a score listed before.
	sharesEach bool
	// noInterval says that cells show the score without: a variant beside the headline, at the same cost.
	noInterval bool
}

// event is a hit or a miss of one class in one image.
type event struct {
	image, class int // image counts the records from 0
	hit          bool
}

// statistical is a task whose scores have statistics.
type statistical interface {
	// statistics lists them for one data set and method; recs are in the order of samples.
	statistics(c cellContext, recs []Record) ([]statistic, error)
}

// intervals adds a bootstrap interval to every score of a cell that has a statistic.
func (c cellContext) intervals(cell *results.Cell, ms []statistic) {
	if c.resamples < 1 || cell.Images < 2 {
		return
	}
	for i := range cell.Scores {
		s := &cell.Scores[i]
		at := slices.IndexFunc(ms, func(m statistic) bool {
			return m.convention == cell.Convention && m.score == s.Name && !m.noInterval
		})
		if at < 0 {
			continue
		}
		if stat, err := ms[at].pooled(); err == nil {
			c.interval(s, cell.Images, stat)
		}
	}
}

// findStatistic picks a score by name; an empty convention takes the first that has the score.
func findStatistic(ms []statistic, convention, score string) (statistic, error) {
	var known []string
	for _, m := range ms {
		if m.score == score && (convention == "" || m.convention == convention) {
			return m, nil
		}
		known = append(known, m.convention+":"+m.score)
	}
	if convention != "" {
		return statistic{}, fmt.Errorf("score %q has no statistics under %q", score, convention)
	}
	return statistic{}, fmt.Errorf("score %q has no statistics; known are %s", score, strings.Join(known, ", "))
}

// defined keeps the values that are numbers, and where they stood.
func defined(values []float64) (kept []float64, at []int) {
	for i, v := range values {
		if !math.IsNaN(v) {
			kept = append(kept, v)
			at = append(at, i)
		}
	}
	return kept, at
}

// meanOfImages is the mean of the values that are defined, over resampled images.
func meanOfImages(values []float64) metrics.Statistic {
	kept, at := defined(values)
	mean := metrics.MeanStatistic(kept)
	of := make([]int32, len(kept))
	return func(times []int32) (float64, bool) {
		if len(times) != len(values) {
			return 0, false
		}
		for i, k := range at {
			of[i] = times[k]
		}
		return mean(of)
	}
}

// eventsOf are the judged points of records whose images count the records from 0.
func eventsOf(points []metrics.PointRecord) []event {
	out := []event{}
	for _, p := range points {
		if p.Outcome != metrics.Skipped {
			out = append(out, event{p.Image, p.Class, p.Outcome == metrics.Hit})
		}
	}
	return out
}

// shareOfHits is, by image, the share of its events that hit.
func shareOfHits(events []event, images int) []float64 {
	hits, all := make([]float64, images), make([]float64, images)
	for _, e := range events {
		all[e.image]++
		if e.hit {
			hits[e.image]++
		}
	}
	for i := range hits {
		hits[i] /= all[i] // 0/0 is NaN: the image has no event
	}
	return hits
}
