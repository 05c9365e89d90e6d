package reports

import (
	"image"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Widths of figures, in points: one and two columns of a paper.
const (
	oneColumn  = 241 // 85 mm
	twoColumns = 504 // 178 mm
)

// figureDPI is the resolution of figures as pictures.
const figureDPI = 200

// figure is a chart that any canvas can be asked to draw, at the size it has in print.
type figure struct {
	name  string        // of its file, without ending
	title string        // one line: what is drawn
	note  string        // what the reader needs to read it
	place placeInReport // in a report
	block int           // the block it is of, and
	of    columnKey     // its data set, where it has one
	w, h  vg.Length
	draw  func(c draw.Canvas) // without title and note
}

// Where a figure stands in a report.
type placeInReport int

const (
	placeLast    placeInReport = iota
	placeSummary               // with the main scores
	placeColumn                // with its data set
)

// alone is the figure with its title above and its note below, for a file that has nothing else to say it.
func (f *figure) alone() figure {
	const side = 6
	title, note := lettering(9), lettering(6.5)
	title.Font.Weight = 3 // bold
	note.Color = faint
	titles, notes := wrapText(title, f.title, f.w, 3), wrapText(note, f.note, f.w, 6)
	above := vg.Length(len(titles))*11 + 4
	below := vg.Length(len(notes))*8.5 + 4
	out := *f
	out.w, out.h = f.w+2*side, f.h+above+below+2*side
	out.draw = func(c draw.Canvas) {
		c = draw.Crop(c, side, -side, side, -side)
		for i, s := range titles {
			c.FillText(title, vg.Point{X: c.Min.X, Y: c.Max.Y - vg.Length(i+1)*11 + 2}, s)
		}
		f.draw(draw.Crop(c, 0, 0, below, -above))
		for i, s := range notes {
			c.FillText(note, vg.Point{X: c.Min.X, Y: c.Min.Y + below - 4 - vg.Length(i+1)*8.5 + 2}, s)
		}
	}
	return out
}

// picture draws f on white paper.
func (f *figure) picture(dpi int) image.Image {
	c := vgimg.NewWith(vgimg.UseWH(f.w, f.h), vgimg.UseDPI(dpi))
	f.draw(draw.New(legible{c}))
	return c.Image()
}

// legible is a canvas that shows letters which the font lacks as question marks, where gonum's would leave them out.
type legible struct{ *vgimg.Canvas }

func (c legible) FillString(face font.Face, p vg.Point, s string) {
	c.Canvas.FillString(face, p, inFont(s))
}

// png draws f as a PNG file.
func (f *figure) png() ([]byte, error) { return encodePNG(f.picture(figureDPI)) }

// names are file names that do not collide, even where capitals do not count.
type names map[string]bool

func (n names) take(name string) string {
	for n[strings.ToLower(name)] {
		name += "-"
	}
	n[strings.ToLower(name)] = true
	return name
}
