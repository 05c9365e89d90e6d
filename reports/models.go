package reports

import (
	"fmt"
	"slices"

	"ovbench/reports/results"
)

// modelTables set methods against models: for each data set and score a table, methods down and models across, and one
// of the averages over data sets. There are none where the rows of v are of one model or one method, or where a method
// has two rows of one model.
func modelTables(v *view) []table {
	grid, models, ok := v.byModel()
	if !ok {
		return nil
	}
	methods := grid.methods
	fill := func(title string, at func(row) entry) table {
		t := table{title: title, head: append([]string{"Method"}, models...)}
		for i, m := range methods {
			line := texts(m)
			for _, r := range grid.rows[i] {
				e := entry{text: missing}
				if r != nil {
					e = at(*r)
				}
				line = append(line, e)
			}
			t.rows = append(t.rows, line)
		}
		if v.comparable() {
			t.markBest(v.digits())
		}
		if t.round(v.digits()); v.layout.Transposed {
			t = t.transposed()
			t.head[0] = "Model"
		}
		return t
	}
	var out []table
	for _, c := range v.columns {
		metrics := v.layout.Metrics
		if len(metrics) == 0 {
			metrics = []string{c.metric}
		}
		for _, metric := range metrics {
			var scores []*results.Score
			tested := false
			t := fill(fmt.Sprintf("%s: %s by method and model", c.title, metric), func(r row) entry {
				s := v.cell(r, c).Score(metric)
				e := score(s)
				star, is := v.layout.Tests.star(r.run, v.cell(r, c), metric)
				e.star, tested = star, tested || is
				scores = append(scores, s)
				return e
			})
			if !slices.ContainsFunc(scores, func(s *results.Score) bool { return s != nil }) {
				continue
			}
			t.name = v.file("models-" + c.key.dataset)
			t.notes = append([]string{metric + " in percent."}, intervals([][]*results.Score{scores}, halfInterval)...)
			if tested {
				t.notes = append(t.notes, v.layout.Tests.note())
			}
			out = append(out, t)
		}
	}
	if averaged, _ := averages(v); averaged {
		t := fill(fmt.Sprintf("Average: %s by method and model", metricsOf(v.columns)), func(r row) entry {
			var line []*results.Score
			for _, c := range v.columns {
				line = append(line, v.cell(r, c).Score(c.metric))
			}
			return number(average(line))
		})
		t.name = v.file("models-average")
		t.notes = []string{fmt.Sprintf("%s in percent, the mean of %d data sets.", metricsOf(v.columns), len(v.columns))}
		out = append(out, t)
	}
	return out
}

// modelGrid is the rows of a view by method and model; nil where a model was not read by a method.
type modelGrid struct {
	methods []string
	rows    [][]*row
}

// byModel lays the rows out by method and model, with the models' names; not if that says nothing, or is ambiguous.
func (v *view) byModel() (g modelGrid, models []string, ok bool) {
	at := map[string]int{}
	for _, r := range v.rows {
		run := v.runs[r.run]
		key := modelKey(run) + "\n" + run.Label
		k, seen := at[key]
		if !seen {
			k, at[key] = len(models), len(models)
			models = append(models, v.modelLabel(run))
			for i := range g.rows {
				g.rows[i] = append(g.rows[i], nil)
			}
		}
		i := slices.Index(g.methods, r.method)
		if i < 0 {
			i = len(g.methods)
			g.methods, g.rows = append(g.methods, r.method), append(g.rows, make([]*row, len(models)))
		}
		if g.rows[i][k] != nil {
			return g, nil, false
		}
		g.rows[i][k] = &r
	}
	return g, models, len(models) > 1 && len(g.methods) > 1
}

// modelLabel is what a table calls the model of a run: the label that was given, else its name beside others.
func (v *view) modelLabel(r *results.Run) string {
	if r.Label != "" {
		return r.Label
	}
	if name := modelName(v.runs, r); name != "" {
		return name
	}
	return r.Model.Called()
}
