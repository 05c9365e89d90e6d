package reports

import (
	"slices"
	"strings"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// barsOf takes from every cell the score that metric names, "" for none. It leaves out methods and data sets without
// any.
func barsOf(v *view, metric func(column) string) (b *draw.Bars, scores [][]*results.Score) {
	b = &draw.Bars{}
	var columns []column
	var metrics []string
	for _, c := range v.columns {
		for _, r := range v.rows {
			if v.cell(r, c).Score(metric(c)) != nil {
				columns = append(columns, c)
				b.Titles, metrics = append(b.Titles, v.shortOf(c)), append(metrics, metric(c))
				break
			}
		}
	}
	if slices.Equal(metrics, slices.Repeat(metrics[:min(len(metrics), 1)], len(metrics))) {
		b.Label = strings.Join(metrics[:min(len(metrics), 1)], "")
	} else {
		b.Label = "score"
		for i := range metrics {
			b.Titles[i] += " " + metrics[i]
		}
	}
	b.Label += " (%)"
	for i, r := range v.rows {
		var line []*results.Score
		var marks []*draw.Mark
		any := false
		for _, c := range columns {
			s := v.cell(r, c).Score(metric(c))
			line, marks, any = append(line, s), append(marks, mark(s)), any || s != nil
		}
		if any {
			scores = append(scores, line)
			b.Marks, b.Names, b.Colors = append(b.Marks, marks), append(b.Names, v.name(r)), append(b.Colors, i)
		}
	}
	return b, scores
}

// barFigures are the bars of a score of all data sets: one figure, or several where there are many data sets.
func barFigures(v *view, name, title string, metric func(column) string) []figure {
	b, scores := barsOf(v, metric)
	if len(b.Marks) == 0 {
		return nil
	}
	notes := intervals(scores, "Whiskers are the %s %% bootstrap interval (%d resamples of the images).")
	if !v.comparable() {
		notes = append(notes, "The runs are not comparable: their protocols or images differ.")
	}
	var out []figure
	for _, f := range b.Figures(name, title, strings.Join(notes, " ")) {
		out = append(out, figure{Figure: f, place: placeSummary})
	}
	return out
}

// mark is a score to draw.
func mark(s *results.Score) *draw.Mark {
	if s == nil {
		return nil
	}
	low, high := bounds(s)
	return &draw.Mark{Value: s.Value, Low: low, High: high}
}

func bounds(s *results.Score) (low, high float64) {
	if s.Low == nil || s.High == nil {
		return s.Value, s.Value
	}
	return *s.Low, *s.High
}
