package reports

import (
	"fmt"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// maxDrawn bounds the methods, and the data sets, of a figure.
const maxDrawn = 64

// kinds are the figures there are of runs under one protocol, in the order of a report. Each gives what there is
// something to draw for.
var kinds = []func(*view) []figure{
	scoreFigures,
	pointingFigures,
	differenceFigures,
	classFigures,
	curveFigures,
	confusionFigures,
}

// figures are all figures of a view: those of each block, and those across blocks.
func figuresOf(v *view) ([]figure, error) {
	if len(v.rows) > maxDrawn || len(v.columns) > maxDrawn {
		return nil, fmt.Errorf("figures of %d methods on %d data sets, there is room for %d; report fewer runs",
			len(v.rows), len(v.columns), maxDrawn)
	}
	var out []figure
	for i, b := range v.blocks() {
		for _, kind := range kinds {
			for _, f := range kind(b) {
				f.Name, f.Title, f.block = b.file(f.Name), b.heading(f.Title), i
				out = append(out, f)
			}
		}
	}
	out = append(append(out, sweepFigures(v)...), timingFigures(v)...)
	taken := names{}
	for i := range out {
		out[i].Name = taken.take(out[i].Name)
	}
	return out, nil
}

func scoreFigures(v *view) []figure {
	return barFigures(v, "scores", "Scores by data set", func(c column) string { return c.metric })
}

// pointingFigures are the pointing game, which tables show among other scores.
func pointingFigures(v *view) []figure {
	return barFigures(v, "pointing", "Pointing game: share of maps with their highest pixel at the object",
		func(c column) string {
			for _, r := range v.rows {
				if v.cell(r, c).Score("pointing-seen") != nil {
					return "pointing-seen"
				}
			}
			return ""
		})
}

// about is a figure of one data set.
func about(f draw.Figure, c column) figure { return figure{Figure: f, place: placeColumn, of: c.key} }

// seriesOf are the rows of a column that have something to draw, with their cells.
func seriesOf(v *view, c column, has func(*results.Cell) bool) []series {
	var out []series
	for i, r := range v.rows {
		if x := v.cell(r, c); x != nil && has(x) {
			out = append(out, series{index: i, row: r, name: v.name(r), cell: x})
		}
	}
	return out
}

// series is a method of a run in a figure.
type series struct {
	index int // among all rows, which gives the colour
	name  string
	row   row
	cell  *results.Cell
}

// topOf is the series with the highest main score, the first of equals.
func topOf(c column, all []series) int {
	k, top := 0, (*results.Score)(nil)
	for i, s := range all {
		if x := s.cell.Score(c.metric); x != nil && (top == nil || x.Value > top.Value) {
			k, top = i, x
		}
	}
	return k
}
