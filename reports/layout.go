package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ovbench/reports/results"
)

// Layout is how a reader wants runs laid out. The zero Layout shows all there is, in the order of the runs.
type Layout struct {
	Methods, Datasets, Metrics []string // shown, in this order; none: all
	// Sort is what rows are sorted by, the best first: a data set, "average", or "name" for the alphabet.
	Sort       string
	Digits     int       // decimals of percentages; 0: two
	Labels     []string  // of the runs, one each
	Transposed bool      // tables of main scores have data sets down and methods across
	Pair       [2]string // methods of the chart of differences, the second minus the first
	Tests      *Tests
	// Meaning says what a score of a task is, in words, for readers who ask; "" where it is not known. It may be nil.
	Meaning func(task, metric string) string
}

// Tests are paired tests of every method against one of them, whose outcome stands beside the scores.
type Tests struct {
	Baseline string
	P        map[TestedScore]float64 // adjusted over all of them
}

// TestedScore is a score that was tested: a cell of the run of that index.
type TestedScore struct {
	Run                                       int
	Dataset, Task, Convention, Method, Metric string
}

// maxDigits is how many decimals of a percentage mean something.
const maxDigits = 6

// choose returns runs with what l asks for, in its order. The runs given are not changed.
func (l *Layout) choose(runs []*results.Run) ([]*results.Run, error) {
	if err := l.check(runs); err != nil {
		return nil, err
	}
	var out []*results.Run
	for i, r := range runs {
		x := *r
		if len(l.Labels) > 0 {
			x.Label = l.Labels[i]
		}
		x.Methods = picked(r.Methods, l.Methods, func(m results.Method) string { return m.Name })
		x.Datasets = picked(r.Datasets, l.Datasets, func(d results.Dataset) string { return d.Name })
		if x.Cells = nil; len(l.Metrics) > 0 {
			x.Suite.Metrics = l.Metrics // the first is the headline
		}
		for _, c := range r.Cells {
			if x.Method(c.Method) == nil || x.Dataset(c.Dataset) == nil {
				continue
			}
			c.Scores = picked(c.Scores, l.Metrics, func(s results.Score) string { return s.Name })
			x.Cells = append(x.Cells, c)
		}
		x.Panels = nil
		for _, p := range r.Panels {
			if x.Dataset(p.Dataset) == nil {
				continue
			}
			p.Predictions = maps.Clone(p.Predictions)
			maps.DeleteFunc(p.Predictions, func(m, _ string) bool { return x.Method(m) == nil })
			p.Maps = slices.DeleteFunc(slices.Clone(p.Maps),
				func(m results.PanelMap) bool { return x.Method(m.Method) == nil })
			x.Panels = append(x.Panels, p)
		}
		x.Failures = slices.DeleteFunc(slices.Clone(r.Failures),
			func(f results.Failure) bool { return x.Dataset(f.Dataset) == nil })
		out = append(out, &x)
	}
	return out, nil
}

// picked are the elements that are wanted, in the order in which they are.
func picked[T any](all []T, want []string, name func(T) string) []T {
	if len(want) == 0 {
		return all
	}
	var out []T
	for _, w := range want {
		for _, x := range all {
			if name(x) == w {
				out = append(out, x)
			}
		}
	}
	return out
}

// check refuses names that no run has.
func (l *Layout) check(runs []*results.Run) error {
	if l.Digits < 0 || l.Digits > maxDigits {
		return fmt.Errorf("%d digits: want 1 to %d", l.Digits, maxDigits)
	}
	if n := len(l.Labels); n > 0 && n != len(runs) {
		return fmt.Errorf("%d labels for %d runs: name every run, in their order", n, len(runs))
	}
	var methods, datasets, metrics []string
	for _, r := range runs {
		for _, m := range r.Methods {
			methods = append(methods, m.Name)
		}
		for _, d := range r.Datasets {
			datasets = append(datasets, d.Name)
		}
		for _, c := range r.Cells {
			for _, s := range c.Scores {
				metrics = append(metrics, s.Name)
			}
		}
	}
	pair := slices.DeleteFunc(slices.Clone(l.Pair[:]), func(m string) bool { return m == "" })
	order := slices.DeleteFunc([]string{l.Sort}, func(s string) bool { return s == "" || s == "name" || s == "average" })
	for _, x := range []struct {
		what       string
		want, have []string
	}{{"method", append(pair, l.Methods...), methods}, {"data set", append(order, l.Datasets...),
		datasets}, {"metric", l.Metrics, metrics}} {
		for _, w := range x.want {
			if !slices.Contains(x.have, w) {
				have := slices.Compact(slices.Sorted(slices.Values(x.have)))
				return fmt.Errorf("no run has %s %q; there are %s", x.what, w, strings.Join(have, ", "))
			}
		}
	}
	return nil
}

// sort puts the rows of v in the order that is asked for; rows without a number come last.
func (l *Layout) sort(v *view) {
	if l.Sort == "" {
		return
	}
	value := map[row]*float64{}
	for _, r := range v.rows {
		var line []*results.Score
		for _, c := range v.columns {
			if s := v.cell(r, c).Score(c.metric); l.Sort == "average" && s != nil || c.key.dataset == l.Sort {
				line = append(line, s)
			}
		}
		if len(line) > 0 {
			value[r] = average(line)
		}
	}
	slices.SortStableFunc(v.rows, func(a, b row) int {
		x, y := value[a], value[b]
		switch {
		case l.Sort == "name":
			return cmp.Compare(a.method, b.method)
		case x == nil || y == nil:
			return cmp.Compare(boolInt(x == nil), boolInt(y == nil))
		}
		return cmp.Compare(*y, *x)
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// meaning is what a score of a task is, or "".
func (l *Layout) meaning(task, metric string) string {
	if l.Meaning == nil {
		return ""
	}
	return l.Meaning(task, metric)
}

// star is the mark of the outcome of a test, and whether there was one.
func (t *Tests) star(run int, c *results.Cell, metric string) (star string, tested bool) {
	if t == nil || c == nil {
		return "", false
	}
	p, ok := t.P[TestedScore{run, c.Dataset, c.Task, c.Convention, c.Method, metric}]
	if !ok {
		return "", false
	}
	return stars(&p), true
}

// note says what the marks mean.
func (t *Tests) note() string {
	return fmt.Sprintf("* told from %s by the paired test of images, p < 0.05, ** < 0.01, *** < 0.001, after Holm's "+
		"adjustment over the %d tests of all methods and data sets of the runs, shown or not.", t.Baseline, len(t.P))
}
