package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// A sweep is a score over the one setting that differs: a field of the protocol between runs, a parameter between
// methods of one kind. Where two settings differ, what a score follows from cannot be told, and nothing is drawn.
type sweep struct {
	what  string
	lines map[column][]sweepLine
	order []column
}

type sweepLine struct {
	index  int
	name   string
	points []sweepPoint
}

type sweepPoint struct {
	x     string
	score *results.Score
}

func sweepFigures(v *view) []figure {
	var out []figure
	for _, s := range append(runSweeps(v), methodSweeps(v)...) {
		for _, c := range s.order {
			if f, ok := s.figure(c); ok {
				out = append(out, figure{Figure: f})
			}
		}
	}
	return out
}

// runSweeps is a sweep over the protocol field that differs between runs, one line per method; none or one.
func runSweeps(v *view) []sweep {
	if len(v.runs) < 2 {
		return nil
	}
	fields := map[string]bool{}
	for _, r := range v.runs {
		for k := range r.Protocol.Fields {
			fields[k] = true
		}
	}
	value := func(r *results.Run, k string) string { return valueText(r.Protocol.Fields[k]) }
	var differ []string
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		if slices.ContainsFunc(v.runs, func(r *results.Run) bool { return value(r, k) != value(v.runs[0], k) }) {
			differ = append(differ, k)
		}
	}
	if len(differ) != 1 || otherwise(v.runs) {
		return nil
	}
	s := sweep{what: differ[0], lines: map[column][]sweepLine{}}
	prompts := s.what == "templates" // their number is what one asks for
	if prompts {
		s.what = "prompts per query"
	}
	for _, c := range v.columns {
		at := map[string]int{}
		for i, r := range v.rows {
			score := v.cell(r, c).Score(c.metric)
			if score == nil {
				continue
			}
			x := value(v.runs[r.run], differ[0])
			if d := v.dataset(r, c); prompts && d != nil {
				x = strconv.Itoa(d.Templates)
			}
			if _, ok := at[r.method]; !ok {
				at[r.method] = len(s.lines[c])
				s.lines[c] = append(s.lines[c], sweepLine{index: i, name: r.method})
			}
			l := &s.lines[c][at[r.method]]
			l.points = append(l.points, sweepPoint{x, score})
		}
		s.order = append(s.order, c)
	}
	return []sweep{s}
}

// otherwise reports whether the runs differ in what is measured: their weights or images.
func otherwise(runs []*results.Run) bool {
	first := runs[0]
	for _, r := range runs[1:] {
		if !slices.EqualFunc(r.Model.Files, first.Model.Files,
			func(a, b results.File) bool { return a.SHA256 == b.SHA256 }) {
			return true
		}
		for _, d := range r.Datasets {
			if o := first.Dataset(d.Name); o != nil && (o.ListSHA256 != d.ListSHA256 || o.Measured != d.Measured) {
				return true
			}
		}
	}
	return false
}

// methodSweeps are sweeps over the parameter that differs between methods of one kind, one line per kind and run.
func methodSweeps(v *view) []sweep {
	type kind struct {
		run  int
		name string
	}
	groups := map[kind][]int{} // rows
	var order []kind
	for i, r := range v.rows {
		m := v.runs[r.run].Method(r.method)
		k := kind{r.run, cmp.Or(m.Kind, m.Name)}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	var out []sweep
	for _, k := range order {
		rows := groups[k]
		params := func(i int) map[string]any { return v.runs[k.run].Method(v.rows[i].method).Params }
		what, ok := onlyDifference(rows, params)
		if !ok {
			continue
		}
		i := slices.IndexFunc(out, func(s sweep) bool { return s.what == what })
		if i < 0 {
			i = len(out)
			out = append(out, sweep{what: what, lines: map[column][]sweepLine{}, order: v.columns})
		}
		name := k.name
		if len(v.runs) > 1 {
			name += fmt.Sprintf(" · run %d", k.run+1)
		}
		for _, c := range v.columns {
			l := sweepLine{index: rows[0], name: name}
			for _, row := range rows {
				if s := v.cell(v.rows[row], c).Score(c.metric); s != nil {
					l.points = append(l.points, sweepPoint{valueText(params(row)[what]), s})
				}
			}
			out[i].lines[c] = append(out[i].lines[c], l)
		}
	}
	return out
}

// onlyDifference is the one parameter in which methods differ, if it is one.
func onlyDifference(rows []int, params func(int) map[string]any) (string, bool) {
	names := map[string]bool{}
	for _, i := range rows {
		for k := range params(i) {
			names[k] = true
		}
	}
	var differ []string
	for k := range names {
		if slices.ContainsFunc(rows,
			func(i int) bool { return valueText(params(i)[k]) != valueText(params(rows[0])[k]) }) {
			differ = append(differ, k)
		}
	}
	return strings.Join(differ, " "), len(differ) == 1
}

// figure draws the sweep on a data set, if it has two points or more.
func (s *sweep) figure(c column) (draw.Figure, bool) {
	spots, ticks := axisOf(s.lines[c])
	if len(spots) < 2 {
		return draw.Figure{}, false
	}
	l := &draw.LineChart{X: s.what, Y: c.metric + " (%)", Points: true, Ticks: ticks}
	var scores [][]*results.Score
	for _, line := range s.lines[c][:min(len(s.lines[c]), maxSeries)] {
		out := draw.Line{Index: line.index, Name: line.name}
		points := slices.Clone(line.points)
		slices.SortStableFunc(points, func(a, b sweepPoint) int { return cmp.Compare(spots[a.x], spots[b.x]) })
		for _, p := range points {
			low, high := bounds(p.score)
			out.XY = append(out.XY, plotter.XY{X: spots[p.x], Y: 100 * p.score.Value})
			out.Low, out.High = append(out.Low, 100*low), append(out.High, 100*high)
			scores = append(scores, []*results.Score{p.score})
		}
		if len(out.XY) > 0 {
			l.Lines = append(l.Lines, out)
		}
	}
	note := strings.Join(intervals(scores, "Whiskers are the %s %% bootstrap interval (%d resamples of the images)."),
		" ")
	title := fmt.Sprintf("%s: %s over %s", c.title, cmp.Or(c.metric, "score"), s.what)
	return l.Figure("sweep-"+slug(s.what)+"-"+slug(c.title), title, note), true
}

// axisOf places the values of a setting on an axis: numbers where they belong, words side by side.
func axisOf(lines []sweepLine) (map[string]float64, plot.Ticker) {
	spots := map[string]float64{}
	var order []string
	numbers := true
	for _, l := range lines {
		for _, p := range l.points {
			if _, ok := spots[p.x]; ok {
				continue
			}
			x, ok := settingNumber(p.x)
			numbers = numbers && ok
			spots[p.x] = x
			order = append(order, p.x)
		}
	}
	var ticks []plot.Tick
	for i, s := range order {
		if !numbers {
			spots[s] = float64(i)
		}
		ticks = append(ticks, plot.Tick{Value: spots[s], Label: draw.Elide(plain.Line(s),
			func(s string) bool { return len([]rune(s)) <= 16 })})
	}
	if len(ticks) > 8 && numbers {
		return spots, nil
	}
	return spots, plot.ConstantTicks(ticks)
}

// settingNumber reads a number, or the side of a square "336x336".
func settingNumber(s string) (float64, bool) {
	if a, b, ok := strings.Cut(s, "x"); ok && a == b {
		s = a
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil && x == x && x-x == 0
}
