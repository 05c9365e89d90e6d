package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ovbench/reports/results"
)

// table is a grid of texts; every format draws from it. The first column names the rows.
type table struct {
	head  []string
	rows  [][]string
	words bool            // columns hold words, not numbers
	best  map[[2]int]bool // row, column: the best of its column
	notes []string        // what the reader needs to read it
}

// summary is the table of a paper: methods down, data sets across, the main score of each in percent.
func (v *view) summary() table {
	t := table{head: []string{"Method"}, best: map[[2]int]bool{}}
	for _, c := range v.columns {
		t.head = append(t.head, headOf(c, v.columns))
	}
	values := make([][]*results.Score, len(v.rows))
	for i, r := range v.rows {
		line := []string{v.name(r)}
		for _, c := range v.columns {
			s := v.cell(r, c).Score(c.metric)
			values[i] = append(values[i], s)
			line = append(line, scoreText(s))
		}
		t.rows = append(t.rows, line)
	}
	t.notes = append(t.notes, fmt.Sprintf("%s in percent.", metricsOf(v.columns)))
	t.notes = append(t.notes, intervals(values, "± is half of the %s %% bootstrap interval (%d resamples of the images).")...)
	if v.comparable() && len(v.rows) > 1 {
		t.markBest(values)
	}
	return t
}

// headOf is a column's heading; the metric is named where columns differ in it.
func headOf(c column, all []column) string {
	for _, o := range all {
		if o.metric != c.metric {
			return c.title + " " + c.metric
		}
	}
	return c.title
}

func metricsOf(columns []column) string {
	var names []string
	for _, c := range columns {
		if c.metric != "" && !slices.Contains(names, c.metric) {
			names = append(names, c.metric)
		}
	}
	return cmp.Or(strings.Join(names, ", "), "scores")
}

// scoreText is a score in percent, with half of its interval.
func scoreText(s *results.Score) string {
	switch {
	case s == nil:
		return "–"
	case s.Low == nil || s.High == nil:
		return percent(s.Value)
	}
	return percent(s.Value) + " ± " + percent((*s.High-*s.Low)/2)
}

// intervals fills confidence and resamples into sentence, once for every kind of interval in use.
func intervals(values [][]*results.Score, sentence string) []string {
	var notes []string
	for _, line := range values {
		for _, s := range line {
			if s == nil || s.Low == nil {
				continue
			}
			note := fmt.Sprintf(sentence, strconv.FormatFloat(100*s.Level, 'g', 4, 64), s.Resamples)
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

// markBest marks the highest value of each column, and what reads the same.
func (t *table) markBest(values [][]*results.Score) {
	for c := 1; c < len(t.head); c++ {
		var top *results.Score
		for _, line := range values {
			if s := line[c-1]; s != nil && (top == nil || s.Value > top.Value) {
				top = s
			}
		}
		for i, line := range values {
			if s := line[c-1]; s != nil && percent(s.Value) == percent(top.Value) {
				t.best[[2]int{i, c}] = true
			}
		}
	}
}

// scores is every score of a column with its bounds.
func (v *view) scores(c column) table {
	var names []string
	bounded := map[string]bool{}
	for _, r := range v.rows {
		x := v.cell(r, c)
		if x == nil {
			continue
		}
		for _, s := range x.Scores {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
			bounded[s.Name] = bounded[s.Name] || s.Low != nil
		}
	}
	t := table{head: []string{"Method", "Images"}, notes: []string{"Percent; intervals from their lower to their upper bound."}}
	for _, n := range names {
		if t.head = append(t.head, n); bounded[n] {
			t.head = append(t.head, n+" interval")
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return bounded[n] }) {
		t.notes = []string{"Percent."}
	}
	for _, r := range v.rows {
		x := v.cell(r, c)
		if x == nil {
			continue
		}
		line := []string{v.name(r), strconv.Itoa(x.Images)}
		for _, n := range names {
			s := x.Score(n)
			value, bounds := "–", "–"
			if s != nil {
				value = percent(s.Value)
				if s.Low != nil {
					bounds = percent(*s.Low) + " – " + percent(*s.High)
				}
			}
			if line = append(line, value); bounded[n] {
				line = append(line, bounds)
			}
		}
		t.rows = append(t.rows, line)
	}
	return t
}

// measure is a score of a class.
type measure struct {
	name string
	of   func(*results.ClassScore) *float64
}

var measures = []measure{
	{"IoU", func(c *results.ClassScore) *float64 { return c.IoU }},
	{"Acc", func(c *results.ClassScore) *float64 { return c.Acc }},
	{"Precision", func(c *results.ClassScore) *float64 { return c.Precision }},
	{"Dice", func(c *results.ClassScore) *float64 { return c.Dice }},
}

// classes is a column class by class: all measures of a single method, or the
// first measure there is (IoU, as a rule) of several.
func (v *view) classes(c column) table {
	var names []string
	var cells []*results.Cell
	for _, r := range v.rows {
		if x := v.cell(r, c); x != nil && len(x.Classes) > 0 {
			names, cells = append(names, v.name(r)), append(cells, x)
		}
	}
	defined := slices.DeleteFunc(slices.Clone(measures), func(m measure) bool {
		for _, x := range cells {
			for i := range x.Classes {
				if m.of(&x.Classes[i]) != nil {
					return false
				}
			}
		}
		return true
	})
	t := table{head: []string{"Class"}}
	switch {
	case len(cells) == 0 || len(defined) == 0:
		return t
	case len(cells) == 1:
		for _, m := range defined {
			t.head = append(t.head, m.name)
		}
		t.head = append(t.head, "Pixels", "Predicted")
		t.notes = []string{"Percent; pixels of the truth and given to the class."}
		for i := range cells[0].Classes {
			s := &cells[0].Classes[i]
			line := []string{s.Class}
			for _, m := range defined {
				line = append(line, optional(m.of(s)))
			}
			t.rows = append(t.rows, append(line, strconv.FormatInt(s.Pixels, 10), strconv.FormatInt(s.Predicted, 10)))
		}
		return t
	}
	t.head = append(t.head, names...)
	t.notes = []string{defined[0].name + " in percent."}
	t.rows = byClass(cells, defined[0])
	return t
}

func optional(x *float64) string {
	if x == nil {
		return "–"
	}
	return percent(*x)
}

// byClass sets cells side by side, classes matched by name; the n-th class of a name matches the n-th.
func byClass(cells []*results.Cell, m measure) [][]string {
	type key struct {
		name string
		nth  int
	}
	at := map[key]int{}
	var rows [][]string
	for j, x := range cells {
		seen := map[string]int{}
		for i := range x.Classes {
			s := &x.Classes[i]
			seen[s.Class]++
			k := key{s.Class, seen[s.Class]}
			if _, ok := at[k]; !ok {
				at[k] = len(rows)
				rows = append(rows, append([]string{s.Class}, slices.Repeat([]string{"–"}, len(cells))...))
			}
			rows[at[k]][j+1] = optional(m.of(s))
		}
	}
	return rows
}
