package draw

import (
	"image"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Widths of figures, in points: one and two columns of a paper.
const (
	OneColumn  = 241 // 85 mm
	TwoColumns = 504 // 178 mm
)

// figureDPI is the resolution of figures as pictures.
const figureDPI = 200

// Figure is a chart that any canvas can be asked to draw, at the size it has in print.
type Figure struct {
	Name  string // of its file, without ending
	Title string // one line: what is drawn
	Note  string // what the reader needs to read it
	W, H  vg.Length
	Draw  func(c draw.Canvas) // without title and note
}

// Alone is the figure with its title above and its note below, for a file that has nothing else to say it.
func (f *Figure) Alone() Figure {
	const side = 6
	title, note := lettering(9), lettering(6.5)
	title.Font.Weight = 3 // bold
	note.Color = Faint
	titles, notes := wrapText(title, f.Title, f.W, 3), wrapText(note, f.Note, f.W, 6)
	above := vg.Length(len(titles))*11 + 4
	below := vg.Length(len(notes))*8.5 + 4
	out := *f
	out.W, out.H = f.W+2*side, f.H+above+below+2*side
	out.Draw = func(c draw.Canvas) {
		c = draw.Crop(c, side, -side, side, -side)
		for i, s := range titles {
			c.FillText(title, vg.Point{X: c.Min.X, Y: c.Max.Y - vg.Length(i+1)*11 + 2}, s)
		}
		f.Draw(draw.Crop(c, 0, 0, below, -above))
		for i, s := range notes {
			c.FillText(note, vg.Point{X: c.Min.X, Y: c.Min.Y + below - 4 - vg.Length(i+1)*8.5 + 2}, s)
		}
	}
	return out
}

// Picture draws f on white paper.
func (f *Figure) Picture(dpi int) image.Image {
	c := vgimg.NewWith(vgimg.UseWH(f.W, f.H), vgimg.UseDPI(dpi))
	f.Draw(draw.New(legible{c}))
	return c.Image()
}

// legible is a canvas that shows letters which the font lacks as question marks, where gonum's would leave them out.
type legible struct{ *vgimg.Canvas }

func (c legible) FillString(face font.Face, p vg.Point, s string) {
	c.Canvas.FillString(face, p, InFont(s))
}

// PNG draws f as a PNG file.
func (f *Figure) PNG() ([]byte, error) { return EncodePNG(f.Picture(figureDPI)) }
