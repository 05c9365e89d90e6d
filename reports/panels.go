package reports

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"maps"
	"slices"

	"ovbench/reports/draw"
	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// Measures of a sheet, in pixels.
const (
	cell       = 280 // side of the box of a picture
	gap        = 12
	margin     = 20
	titleSize  = 22
	headSize   = 17
	textSize   = 14
	swatchSize = 14
)

// Limits of a sheet.
const (
	maxAcross  = 7   // pictures side by side
	maxTall    = 6   // lines of pictures, unless one sample needs more
	maxSamples = 24  // of a data set, in all its sheets
	maxLegend  = 300 // classes
)

// sheet is a table of pictures: samples down; image, truth and methods across, wrapped where they are too many.
type sheet struct {
	title            string
	methods, classes []string
	samples          []*sample
}

// panelsOf draws the samples that a run kept of a data set: image, truth and the label map of each method, under them
// a similarity map of each method that has one (in their place where no method has a label map) and where it errs,
// and at the end the classes in sight with their colours. It returns as many pictures as it takes, none without
// samples. Equal runs give equal pictures.
func panelsOf(r *results.Run, dataset string) ([]image.Image, error) {
	d := r.Dataset(dataset)
	if d == nil {
		return nil, fmt.Errorf("data set %q is not in the run", dataset)
	}
	sh := sheet{title: cmp.Or(d.Title, d.Name), classes: d.Classes}
	if r.Model.Name != "" {
		sh.title += " · " + r.Model.Called()
	}
	var panels []*results.Panel
	drawn := map[string]bool{}
	for i := range r.Panels {
		p := &r.Panels[i]
		if p.Dataset != dataset || len(panels) == maxSamples {
			continue
		}
		panels = append(panels, p)
		for m := range p.Predictions {
			drawn[m] = true
		}
		for _, m := range p.Maps {
			drawn[m.Method] = true
		}
	}
	for _, m := range r.Methods {
		if drawn[m.Name] {
			sh.methods = append(sh.methods, m.Name)
		}
	}
	if len(sh.methods) > maxDrawn {
		return nil, fmt.Errorf("%s: panels of %d methods, a figure has at most %d; report fewer", dataset,
			len(sh.methods), maxDrawn)
	}
	var out []image.Image
	lines := len(sh.lines(true))
	if slices.ContainsFunc(panels, func(p *results.Panel) bool { return len(p.Maps) > 0 && len(p.Predictions) > 0 }) {
		lines *= 2
	}
	if slices.ContainsFunc(panels, func(p *results.Panel) bool { return p.Truth != "" && len(p.Predictions) > 0 }) {
		lines++
	}
	for part := range slices.Chunk(panels, max(1, maxTall/lines)) {
		sh.samples = nil
		for _, p := range part {
			s, err := loadSample(r, p, cell)
			if err != nil {
				return nil, err
			}
			sh.samples = append(sh.samples, s)
		}
		out = append(out, sh.draw())
	}
	return out, nil
}

// Sheet draws one sample of which a run kept pictures: image, truth, and what each method made of it.
func Sheet(r *results.Run, p results.Panel) (image.Image, error) {
	one := *r
	one.Panels = []results.Panel{p}
	sheets, err := panelsOf(&one, p.Dataset)
	if err != nil {
		return nil, err
	}
	return sheets[0], nil
}

// tile is a place in a line of a sheet.
type tile struct {
	head, method string // method is empty for image and truth
	truth        bool
}

// lines are the tiles of every sample, in lines of equal length as far as possible.
func (sh *sheet) lines(truth bool) [][]tile {
	tiles := []tile{{head: "image"}}
	if truth {
		tiles = append(tiles, tile{head: "truth", truth: true})
	}
	for _, m := range sh.methods {
		tiles = append(tiles, tile{head: m, method: m})
	}
	n := (len(tiles) + maxAcross - 1) / maxAcross
	return slices.Collect(slices.Chunk(tiles, (len(tiles)+n-1)/n))
}

// draw lays the sheet out. Titles stand once on top, or above every line where lines differ.
func (sh *sheet) draw() *image.RGBA {
	truth := slices.ContainsFunc(sh.samples, func(s *sample) bool { return s.truth != nil })
	lines := sh.lines(truth)
	width := max(2*margin+len(lines[0])*(cell+gap)-gap, 2*margin+3*(cell+gap))
	key := newLegend(sh, width-2*margin)
	title, head, small := draw.NewPen(titleSize), draw.NewPen(headSize), draw.NewPen(textSize)

	height := margin + title.Line + gap + key.height() + margin
	for i, s := range sh.samples {
		for j := range lines {
			if i == 0 || len(lines) > 1 {
				height += head.Line + gap/2
			}
			height += s.height(lines[j], small)
		}
	}
	out := draw.Blank(width, height)
	title.Text(out, margin, margin, draw.Ink, title.Fit(sh.title, width-2*margin))
	y := margin + title.Line + gap
	for i, s := range sh.samples {
		for _, line := range lines {
			if i == 0 || len(lines) > 1 {
				for k, t := range line {
					head.Centred(out, margin+k*(cell+gap)+cell/2, y, draw.Ink, head.Fit(t.head, cell))
				}
				y += head.Line + gap/2
			}
			s.draw(out, line, y, small)
			y += s.height(line, small)
		}
	}
	key.draw(out, y)
	return out
}

// onlyMaps reports whether no method made a label map, as in tasks that do not segment.
func (s *sample) onlyMaps() bool { return len(s.predictions) == 0 }

// below are the kinds of pictures under the first one of a method, in a line of tiles: similarity maps and error maps.
func (s *sample) below(line []tile) []string {
	var out []string
	if !s.onlyMaps() {
		if slices.ContainsFunc(line, func(t tile) bool { return s.maps[t.method].gray != nil }) {
			out = append(out, heatKind)
		}
		if slices.ContainsFunc(line, func(t tile) bool { return s.wrong(t.method) != nil }) {
			out = append(out, errorKind)
		}
	}
	return out
}

// What a picture of a method shows.
const (
	labelKind = "labels"
	heatKind  = "similarity"
	errorKind = "errors"
)

// wrong is the error map of a method, nil without truth or prediction.
func (s *sample) wrong(method string) *image.Paletted {
	p := s.predictions[method]
	if s.truth == nil || p == nil {
		return nil
	}
	return errorMap(s.truth, p)
}

// height of a line of a sample: a picture and a caption for each kind.
func (s *sample) height(line []tile, p *draw.Pen) int {
	return (1 + len(s.below(line))) * (s.image.Rect.Dy() + p.Line + gap)
}

// draw draws a line of tiles of a sample from y downwards.
func (s *sample) draw(dst *image.RGBA, line []tile, y int, p *draw.Pen) {
	w, h := s.image.Rect.Dx(), s.image.Rect.Dy()
	for k, t := range line {
		x := margin + k*(cell+gap)
		at := image.Rect(0, 0, w, h).Add(image.Pt(x+(cell-w)/2, y))
		switch {
		case t.method == "" && !t.truth:
			stddraw.Draw(dst, at, s.image, image.Point{}, stddraw.Src)
			p.Centred(dst, x+cell/2, y+h+2, draw.Faint, p.Fit(s.id, cell))
		case t.truth:
			s.drawLabels(dst, at, s.truth, p)
		case s.onlyMaps():
			s.drawHeat(dst, at, x, t.method, p)
		default:
			s.drawLabels(dst, at, s.predictions[t.method], p)
			p.Centred(dst, x+cell/2, at.Max.Y+2, draw.Faint, s.verdicts[t.method].mIoU())
			for _, k := range s.below(line) {
				at = at.Add(image.Pt(0, h+p.Line+gap))
				if k == heatKind {
					s.drawHeat(dst, at, x, t.method, p)
				} else if wrong := s.wrong(t.method); wrong != nil {
					stddraw.Draw(dst, at, wrong, image.Point{}, stddraw.Src)
					p.Centred(dst, x+cell/2, at.Max.Y+2, draw.Faint, s.verdicts[t.method].wrongs())
				}
			}
		}
	}
}

// drawHeat draws the similarity map of a method over the image, or an empty frame where there are no maps at all.
func (s *sample) drawHeat(dst *image.RGBA, at image.Rectangle, x int, method string, p *draw.Pen) {
	m := s.maps[method]
	if m.gray == nil {
		if s.onlyMaps() {
			s.drawLabels(dst, at, nil, p)
		}
		return
	}
	stddraw.Draw(dst, at, draw.Blend(s.image, m.gray), image.Point{}, stddraw.Src)
	mapCaption(dst, x, at.Max.Y+2, m.class, p)
}

// drawLabels draws a label map, or an empty frame where there is none.
func (s *sample) drawLabels(dst *image.RGBA, at image.Rectangle, l *labels, p *draw.Pen) {
	if l == nil {
		draw.Frame(dst, at.Inset(1), color.RGBA{200, 200, 200, 255})
		p.Centred(dst, (at.Min.X+at.Max.X)/2, (at.Min.Y+at.Max.Y-p.Line)/2, draw.Faint, "none")
		return
	}
	stddraw.Draw(dst, at, l.picture(), image.Point{}, stddraw.Src)
}

// mapCaption writes the class of a similarity map and a colour bar under it.
func mapCaption(dst *image.RGBA, x, y int, class string, p *draw.Pen) {
	const bar = 72
	zero, one := p.Width("0 "), p.Width(" 1")
	right := x + cell
	p.Text(dst, x, y, draw.Faint, p.Fit(class, cell-bar-zero-one-gap))
	p.Text(dst, right-one, y, draw.Faint, " 1")
	left := right - one - bar
	for i := range bar {
		draw.Fill(dst, image.Rect(left+i, y+4, left+i+1, y+p.Line-3), draw.Jet[255*i/(bar-1)])
	}
	p.Text(dst, left-zero, y, draw.Faint, "0 ")
}

// errorPrefix begins the names of what error maps show.
const errorPrefix = "error map: "

// legend is the key to the colours in sight.
type legend struct {
	pen           *draw.Pen
	entries       []legendEntry
	more          int // entries left out
	across, width int // columns, and pixels of one
}

type legendEntry struct {
	name  string
	color color.RGBA
}

// newLegend lists the labels in sight by number, void at the end, for a sheet with width pixels of room.
func newLegend(sh *sheet, width int) *legend {
	type label struct {
		void  bool
		value int
	}
	seen := map[label]bool{}
	for _, s := range sh.samples {
		for _, l := range append(slices.Collect(maps.Values(s.predictions)), s.truth) {
			if l == nil {
				continue
			}
			for i, x := range l.at {
				if i == 0 || x != l.at[i-1] {
					seen[label{x == l.void, int(x)}] = true
				}
			}
		}
	}
	key := &legend{pen: draw.NewPen(textSize), across: 1}
	var values, voids []int // void of 8 and of 16 bits
	for l := range seen {
		if l.void {
			voids = append(voids, l.value)
		} else {
			values = append(values, l.value)
		}
	}
	slices.Sort(values)
	slices.Sort(voids)
	if n := len(values) - maxLegend; n > 0 {
		key.more, values = n, values[:maxLegend]
	}
	for _, x := range values {
		name := fmt.Sprintf("label %d", x)
		if x < len(sh.classes) {
			name = sh.classes[x]
		}
		key.entries = append(key.entries, legendEntry{name, sh.samples[0].color(x)})
	}
	for _, x := range voids {
		key.entries = append(key.entries, legendEntry{"void", draw.VOC(x)})
	}
	if slices.ContainsFunc(sh.samples, func(s *sample) bool { return s.truth != nil && !s.onlyMaps() }) {
		for _, k := range errorColors {
			key.entries = append(key.entries, legendEntry{errorPrefix + k.name, k.color})
		}
	}
	const least, most = 90, 260
	key.width = least
	for _, e := range key.entries {
		key.width = max(key.width, min(key.pen.Width(plain.Line(e.name))+swatchSize+3*gap/2+8, most))
	}
	key.across = max(1, width/key.width)
	return key
}

// rows of the legend; entries run down its columns.
func (k *legend) rows() int { return (len(k.entries) + k.across - 1) / k.across }

func (k *legend) height() int {
	h := gap + k.rows()*(k.pen.Line+4)
	if k.more > 0 {
		h += k.pen.Line
	}
	return h
}

func (k *legend) draw(dst *image.RGBA, y int) {
	y += gap
	step := k.pen.Line + 4
	for i, e := range k.entries {
		x, top := margin+i/k.rows()*k.width, y+i%k.rows()*step
		box := image.Rect(x, top+1, x+swatchSize, top+1+swatchSize)
		draw.Fill(dst, box, e.color)
		draw.Frame(dst, box, color.RGBA{120, 120, 120, 255})
		k.pen.Text(dst, x+swatchSize+8, top, draw.Ink, k.pen.Fit(e.name, k.width-swatchSize-8-gap))
	}
	if k.more > 0 {
		k.pen.Text(dst, margin, y+k.rows()*step, draw.Faint, fmt.Sprintf("and %d classes more", k.more))
	}
}
