package tasks

import (
	"fmt"
	"math"
	"strings"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// metric is a score of a task: a row of its table. E is what the task makes of the records of one data set and method.
type metric[E any] struct {
	name, doc string
	// of is the score as a function of the images drawn; all that is chosen on the data is chosen anew.
	of func(e E) (metrics.Statistic, error)
	// has says whether the records hold what the score needs; nil: they do.
	has func(e E) bool
	// each is the score of every image alone, NaN where it is undefined; nil for a score that one image does not have.
	each func(e E) ([]float64, error)
	// events are what a score of hits and misses counts; nil for others.
	events func(e E) []Event
	// sharesEach says that each is also that of a score listed before.
	sharesEach bool
	// bare says that cells show the score without an interval: a variant beside the headline, at the same cost.
	bare bool
}

// Statistic is a metric of given records.
type Statistic struct {
	Convention, Score string
	Pooled            func() (metrics.Statistic, error)
	Each              func() ([]float64, error) // nil for a score that one image does not have
	Events            []Event                   // nil but for scores of hits and misses
	SharesEach        bool
	bare              bool
}

// Event is a hit or a miss of one class in one image.
type Event struct {
	Image, Class int // Image counts the records from 0
	Hit          bool
}

// statisticsOf binds a table to records.
func statisticsOf[E any](convention string, table []metric[E], e E) (out []Statistic) {
	for _, m := range table {
		if m.has != nil && !m.has(e) {
			continue
		}
		s := Statistic{Convention: convention, Score: m.name, SharesEach: m.sharesEach, bare: m.bare}
		s.Pooled = func() (metrics.Statistic, error) { return m.of(e) }
		if m.each != nil {
			s.Each = func() ([]float64, error) { return m.each(e) }
		}
		if m.events != nil {
			s.Events = m.events(e)
		}
		out = append(out, s)
	}
	return out
}

// measured is what the records of so many images say, together or of one image.
type measured[E any] interface {
	size() int
	image(i int) (E, error)
}

// alone gives each image's own score, by the statistic of its records; NaN where that is undefined.
func alone[E measured[E]](stat func(E) (metrics.Statistic, error)) func(E) ([]float64, error) {
	return func(e E) ([]float64, error) {
		out := make([]float64, e.size())
		for i := range out {
			of, err := e.image(i)
			if err != nil {
				return nil, err
			}
			one, err := stat(of)
			if err != nil {
				return nil, err
			}
			v, ok := one.Once(1)
			if out[i] = v; !ok {
				out[i] = math.NaN()
			}
		}
		return out, nil
	}
}

// Evaluate computes scores of that many images, in the order given, each once and, where resamples are asked for, with
// its interval by draws of lots. What is undefined is left out.
func Evaluate(stats []Statistic, images, resamples int, lots *metrics.Lots) ([]results.Score, error) {
	var (
		out   []results.Score
		drawn []metrics.Statistic // those of them with intervals
		of    []int               // where, in out
	)
	for _, s := range stats {
		stat, err := s.Pooled()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Score, err)
		}
		value, ok := stat.Once(images)
		if !ok {
			continue
		}
		if !s.bare {
			drawn, of = append(drawn, stat), append(of, len(out))
		}
		out = append(out, results.Score{Name: s.Score, Value: value})
	}
	if resamples < 1 || images < 2 || len(drawn) == 0 {
		return out, nil
	}
	intervals, err := metrics.ResampleAll(lots, resamples, Level, drawn)
	if err != nil {
		return nil, err
	}
	for i := range intervals {
		if iv := &intervals[i]; iv.Resamples > 0 { // else it is undefined on every draw: the score stands without
			s := &out[of[i]]
			s.Low, s.High, s.Level, s.Resamples = &iv.Low, &iv.High, Level, iv.Resamples
		}
	}
	return out, nil
}

// Find picks a score by name; an empty convention takes the first that has the score.
func Find(stats []Statistic, convention, score string) (Statistic, error) {
	var known []string
	for _, s := range stats {
		if s.Score == score && (convention == "" || s.Convention == convention) {
			return s, nil
		}
		known = append(known, s.Convention+":"+s.Score)
	}
	if convention != "" {
		return Statistic{}, fmt.Errorf("score %q has no statistics under %q", score, convention)
	}
	return Statistic{}, fmt.Errorf("score %q has no statistics; known are %s", score, strings.Join(known, ", "))
}
