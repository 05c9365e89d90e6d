package reports

import (
	"strings"

	"ovbench/reports/draw"
)

// figure is a chart with its place in a report.
type figure struct {
	draw.Figure
	place placeInReport
	block int       // the block it is of, and
	of    columnKey // its data set, where it has one
}

// Where a figure stands in a report.
type placeInReport int

const (
	placeLast    placeInReport = iota
	placeSummary               // with the main scores
	placeColumn                // with its data set
)

// names are file names that do not collide, even where capitals do not count.
type names map[string]bool

func (n names) take(name string) string {
	for n[strings.ToLower(name)] {
		name += "-"
	}
	n[strings.ToLower(name)] = true
	return name
}
