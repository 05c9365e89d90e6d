package reports

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"ovbench/reports/results"
)

// Measures of a bar chart, in points.
const (
	barWidth   = 13
	groupGap   = 22
	groupLeast = 84
	plotLeast  = 300
	plotHeight = 270
	plotWidest = 2400
	nameWidest = 190
	chartDPI   = 144
)

// Bars draws the main score of every method (at most 64, of at most 64 data
// sets) in percent, one group of bars per data set, with the intervals. Equal runs
// give equal pictures. It is nil where nothing was scored.
func Bars(runs []*results.Run) (image.Image, error) {
	if err := some(runs); err != nil {
		return nil, err
	}
	v := newView(runs)
	if len(v.rows) > maxDrawn || len(v.columns) > maxDrawn {
		return nil, fmt.Errorf("bar chart of %d methods on %d data sets, there is room for %d; report fewer runs", len(v.rows), len(v.columns), maxDrawn)
	}
	b := newBars(v)
	if !b.any {
		return nil, nil
	}
	p := plot.New()
	p.Title.Text = v.title()
	p.X.Label.Text = strings.Join(intervals(b.scores, "Whiskers are the %s %% bootstrap interval (%d resamples of the images)."), " ")
	if !v.comparable() {
		p.X.Label.Text += " The runs are not comparable: their protocols or images differ."
	}
	p.Y.Label.Text = "score (%)"
	if m := metricsOf(v.columns); !strings.Contains(m, ",") {
		p.Y.Label.Text = m + " (%)"
	}
	b.style(p)
	p.Add(b)
	p.X.Min, p.X.Max = -0.5, float64(len(v.columns))-0.5

	legend := plot.NewLegend()
	sans(&legend.TextStyle, 10)
	legend.Left, legend.Top, legend.ThumbnailWidth, legend.Padding = true, true, 12, 3
	legend.YPosition = draw.PosCenter
	widest := vg.Length(0)
	for i, r := range v.rows {
		name := fitText(legend.TextStyle, v.name(r), nameWidest)
		widest = max(widest, legend.TextStyle.Width(name))
		legend.Add(name, swatch{seriesColor(i)})
	}
	side := widest + 40
	wide := b.group*vg.Length(len(v.columns)) + 70
	high := max(plotHeight, vg.Length(len(v.rows)+2)*17)
	c := vgimg.NewWith(vgimg.UseWH(wide+side, high), vgimg.UseDPI(chartDPI))
	all := draw.New(c)
	p.Draw(draw.Crop(all, 8, -side, 6, -8))
	legend.Draw(draw.Crop(all, wide+10, 0, 0, -34))
	return c.Image(), nil
}

// sans sets a style in the font of all figures.
func sans(s *text.Style, size vg.Length) {
	s.Font.Variant, s.Font.Size = "Sans", size
}

// fitText is s as one line, shortened in the middle to at most width.
func fitText(style text.Style, s string, width vg.Length) string {
	return elideMiddle(plain(s), func(s string) bool { return style.Width(s) <= width })
}

// bars is a plotter of grouped bars with intervals. gonum's own bar chart shifts
// bars in points and its error bars in data units, so that they cannot be brought to meet.
type bars struct {
	scores [][]*results.Score // row, column
	titles []string
	group  vg.Length // width of a group
	any    bool
}

func newBars(v *view) *bars {
	b := &bars{group: max(groupLeast, vg.Length(len(v.rows)*barWidth+groupGap))}
	columns := vg.Length(max(len(v.columns), 1))
	b.group = min(max(b.group, plotLeast/columns), plotWidest/columns)
	for _, r := range v.rows {
		var line []*results.Score
		for _, c := range v.columns {
			s := v.cell(r, c).Score(c.metric)
			b.any = b.any || s != nil
			line = append(line, s)
		}
		b.scores = append(b.scores, line)
	}
	for _, c := range v.columns {
		b.titles = append(b.titles, headOf(c, v.columns))
	}
	return b
}

// style sets fonts, ticks and grid.
func (b *bars) style(p *plot.Plot) {
	sans(&p.Title.TextStyle, 13)
	p.Title.TextStyle.Font.Weight = 3 // bold
	p.Title.Padding = 8
	for _, s := range []*text.Style{&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		sans(s, 10)
	}
	p.Title.Text = fitText(p.Title.TextStyle, p.Title.Text, b.group*vg.Length(len(b.titles))+50)
	p.X.Label.TextStyle.Font.Size = 8
	p.X.Label.TextStyle.Color = faint
	if p.X.Label.Text != "" {
		p.X.Label.Text = "\n" + strings.Join(wrapText(p.X.Label.TextStyle, p.X.Label.Text, b.group*vg.Length(len(b.titles)), 4), "\n")
	}
	ticks := make([]plot.Tick, len(b.titles))
	for i, s := range b.titles {
		ticks[i] = plot.Tick{Value: float64(i), Label: strings.Join(wrapText(p.X.Tick.Label, s, b.group-6, 3), "\n")}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.X.Tick.Length, p.X.LineStyle.Width = 0, 0
	p.X.Tick.Label.YAlign = draw.YTop
	p.Y.Padding = 0
	p.Y.Tick.Marker = plot.TickerFunc(roundTicks)
}

// roundTicks are five or so round numbers.
func roundTicks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/2)))
	for _, k := range []float64{1, 2, 5, 10} {
		if step*k*6 >= high-low {
			step *= k
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 6, 64)})
	}
	return ticks
}

// wrapText breaks s at spaces into at most limit lines of width; what does not fit is elided.
func wrapText(style text.Style, s string, width vg.Length, limit int) []string {
	var lines []string
	rest := strings.Fields(plain(s))
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && style.Width(strings.Join(rest[:n+1], " ")) <= width {
			n++
		}
		if len(lines) == limit-1 {
			n = len(rest)
		}
		lines = append(lines, fitText(style, strings.Join(rest[:n], " "), width))
		rest = rest[n:]
	}
	return lines
}

// DataRange implements plot.DataRanger: zero is in sight, and some air above.
func (b *bars) DataRange() (xmin, xmax, ymin, ymax float64) {
	low, high := 0.0, 0.0
	for _, line := range b.scores {
		for _, s := range line {
			if s != nil {
				l, h := bounds(s)
				low, high = min(low, s.Value, l), max(high, s.Value, h)
			}
		}
	}
	if low == high {
		high = 0.01
	}
	air := 0.06 * (high - low)
	if low < 0 {
		low -= air
	}
	return 0, float64(len(b.titles) - 1), 100 * low, 100 * (high + air)
}

func bounds(s *results.Score) (low, high float64) {
	if s.Low == nil || s.High == nil {
		return s.Value, s.Value
	}
	return *s.Low, *s.High
}

// Plot implements plot.Plotter.
func (b *bars) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	grid := draw.LineStyle{Color: color.Gray{225}, Width: 0.5}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		c.StrokeLine2(grid, c.Min.X, trY(t.Value), c.Max.X, trY(t.Value))
	}
	step := (trX(1) - trX(0) - groupGap*min(1, b.group/groupLeast)) / vg.Length(len(b.scores))
	step = min(step, 2.5*barWidth)
	line := draw.LineStyle{Color: ink, Width: 0.8}
	for i, row := range b.scores {
		for j, s := range row {
			if s == nil {
				continue
			}
			mid := trX(float64(j)) + step*(vg.Length(i)-vg.Length(len(b.scores)-1)/2)
			half := step * 0.44
			zero, top := trY(0), trY(100*s.Value)
			c.FillPolygon(seriesColor(i), []vg.Point{{X: mid - half, Y: zero}, {X: mid + half, Y: zero}, {X: mid + half, Y: top}, {X: mid - half, Y: top}})
			if s.Low != nil && s.High != nil {
				low, high, cap := trY(100**s.Low), trY(100**s.High), min(half*0.6, 4)
				c.StrokeLine2(line, mid, low, mid, high)
				c.StrokeLine2(line, mid-cap, low, mid+cap, low)
				c.StrokeLine2(line, mid-cap, high, mid+cap, high)
			}
		}
	}
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.7}, c.Min.X, trY(math.Max(0, p.Y.Min)), c.Max.X, trY(math.Max(0, p.Y.Min)))
}

// swatch is the sign of a series in the legend.
type swatch struct{ color color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(s.color, []vg.Point{{X: c.Min.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: c.Min.X, Y: c.Max.Y}})
}
