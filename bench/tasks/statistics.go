package tasks

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// Statistic is one score of a cell, computed from the records that the cell is made of.
type Statistic struct {
	Convention, Score string
	// Pooled is the score of resampled images; all that is chosen on the data is chosen anew.
	Pooled func() (metrics.Statistic, error)
	// Each is the score of every image alone, NaN where it is undefined; nil for a score that one image does not have.
	Each func() ([]float64, error)
	// Events are what a score of hits and misses counts; nil for others.
	Events []Event
	// SharesEach says that Each is also that of a score listed before.
	SharesEach bool
	// NoInterval says that cells show the score without: a variant beside the headline, at the same cost.
	NoInterval bool
}

// Event is a hit or a miss of one class in one image.
type Event struct {
	Image, Class int // Image counts the records from 0
	Hit          bool
}

// intervals adds a bootstrap interval to every score of a cell that has a statistic.
func (c Context) intervals(cell *results.Cell, ms []Statistic) {
	if c.Resamples < 1 || cell.Images < 2 {
		return
	}
	for i := range cell.Scores {
		s := &cell.Scores[i]
		at := slices.IndexFunc(ms, func(m Statistic) bool {
			return m.Convention == cell.Convention && m.Score == s.Name && !m.NoInterval
		})
		if at < 0 {
			continue
		}
		if stat, err := ms[at].Pooled(); err == nil {
			c.interval(s, cell.Images, stat)
		}
	}
}

// Find picks a score by name; an empty convention takes the first that has the score.
func Find(ms []Statistic, convention, score string) (Statistic, error) {
	var known []string
	for _, m := range ms {
		if m.Score == score && (convention == "" || m.Convention == convention) {
			return m, nil
		}
		known = append(known, m.Convention+":"+m.Score)
	}
	if convention != "" {
		return Statistic{}, fmt.Errorf("score %q has no statistics under %q", score, convention)
	}
	return Statistic{}, fmt.Errorf("score %q has no statistics; known are %s", score, strings.Join(known, ", "))
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
func eventsOf(points []metrics.PointRecord) []Event {
	out := []Event{}
	for _, p := range points {
		if p.Outcome != metrics.Skipped {
			out = append(out, Event{p.Image, p.Class, p.Outcome == metrics.Hit})
		}
	}
	return out
}

// shareOfHits is, by image, the share of its events that hit.
func shareOfHits(events []Event, images int) []float64 {
	hits, all := make([]float64, images), make([]float64, images)
	for _, e := range events {
		all[e.Image]++
		if e.Hit {
			hits[e.Image]++
		}
	}
	for i := range hits {
		hits[i] /= all[i] // 0/0 is NaN: the image has no event
	}
	return hits
}
