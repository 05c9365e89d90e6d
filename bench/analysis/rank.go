package analysis

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ovbench/bench/records"
	"ovbench/reports/results"
)

// Ranking says by what the samples of a run are ranked.
type Ranking struct {
	Method   string   // empty: the mean of all methods
	Baseline string   // if set, the value is that of Method minus that of this method
	Score    string   // of single images; empty: the headline, or the first that single images have
	Classes  []string // of segmentation: images with these classes, by the mean IoU of these alone
	Best     bool     // the highest first; else the lowest
}

// Ranked is a sample with its value.
type Ranked struct {
	Dataset string  `json:"dataset"`
	ID      string  `json:"id"`
	Score   string  `json:"score"`
	Value   float64 `json:"value"` // or, with a baseline, the difference
}

// Rank ranks all samples of a run that have a value, over all data sets, from their records.
func Rank(run *results.Run, recs []records.Record, o Ranking) ([]Ranked, error) {
	if o.Baseline != "" && o.Method == "" {
		return nil, fmt.Errorf("a difference to %q needs a method to set against it", o.Baseline)
	}
	var (
		out    []Ranked
		faults []error
	)
	for _, d := range run.Datasets {
		list, err := rankOne(run, recs, &d, o)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", d.Name, err))
		}
		out = append(out, list...)
	}
	if len(out) == 0 {
		return nil, cmp.Or(errors.Join(faults...), errors.New("no sample has a value to rank by"))
	}
	slices.SortStableFunc(out, func(a, b Ranked) int {
		if o.Best {
			a, b = b, a
		}
		return cmp.Compare(a.Value, b.Value)
	})
	return out, nil
}

// rankOne gives the values of one data set, in the order of samples.
func rankOne(run *results.Run, recs []records.Record, d *results.Dataset, o Ranking) ([]Ranked, error) {
	names := []string{o.Method}
	if o.Method == "" {
		names = nil
		for _, m := range run.Methods {
			names = append(names, m.Name)
		}
	}
	var (
		sum   []float64
		score string
	)
	side := Side{Run: run, Records: recs, Dataset: d.Name}
	of := side.records()
	add := func(method string, sign float64) error {
		side.Method = method
		values, name, err := side.each(of, o)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		if sum == nil {
			sum = make([]float64, len(of))
		}
		for i, v := range values {
			sum[i] += sign * v
		}
		score = name
		return nil
	}
	for _, m := range names {
		if err := add(m, 1/float64(len(names))); err != nil {
			return nil, err
		}
	}
	if o.Baseline != "" {
		if err := add(o.Baseline, -1); err != nil {
			return nil, err
		}
	}
	var out []Ranked
	for i, v := range sum {
		if !math.IsNaN(v) {
			out = append(out, Ranked{d.Name, of[i].ID, score, v})
		}
	}
	return out, nil
}

// each gives a score of every image, NaN where it has none, and the score's name.
func (s Side) each(recs []records.Record, o Ranking) ([]float64, string, error) {
	if len(o.Classes) > 0 {
		values, err := s.classIoU(recs, o.Classes)
		return values, "IoU of " + strings.Join(o.Classes, ", "), err
	}
	stats, err := s.statistics(recs)
	if err != nil {
		return nil, "", err
	}
	want := o.Score
	if want == "" {
		if c := s.Run.Cell(s.Dataset, s.Method); c != nil {
			want = s.Run.Headline(c)
		}
	}
	var known []string
	for _, pass := range []bool{true, false} { // the wanted one, then any
		for _, st := range stats {
			if st.Each == nil || pass && st.Score != want {
				continue
			}
			if !pass && o.Score != "" {
				known = append(known, st.Score)
				continue
			}
			values, err := st.Each()
			return values, st.Score, err
		}
	}
	if len(known) > 0 {
		return nil, "", fmt.Errorf("single images have no score %q; they have %s", o.Score, strings.Join(known, ", "))
	}
	return nil, "", errors.New("its scores are of all images together: single images have none to be ranked by")
}

// classIoU gives the mean IoU of some classes in each image, of those that are in its truth.
func (s Side) classIoU(recs []records.Record, names []string) ([]float64, error) {
	d := s.Run.Dataset(s.Dataset)
	var classes []int
	for _, n := range names {
		c := slices.Index(d.Classes, n)
		if c < 0 {
			return nil, fmt.Errorf("class %q is not among %s", n, strings.Join(d.Classes, ", "))
		}
		classes = append(classes, c)
	}
	out := make([]float64, len(recs))
	for i, r := range recs {
		cells := r.Methods[s.Method].Confusion
		if cells == nil {
			return nil, errors.New("only task segmentation has the IoU of single classes in an image")
		}
		areas, err := cells.Areas(len(d.Classes))
		if err != nil {
			return nil, fmt.Errorf("the record of %s: %w", r.ID, err)
		}
		sum, n := 0.0, 0
		for _, a := range areas {
			if slices.Contains(classes, int(a.Class)) && a.Truth > 0 {
				sum += float64(a.Intersection) / float64(a.Truth+a.Pred-a.Intersection)
				n++
			}
		}
		out[i] = sum / float64(n) // NaN of none
	}
	return out, nil
}
