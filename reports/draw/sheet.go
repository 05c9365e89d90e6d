package draw

import (
	"image"
	"image/draw"

	xdraw "golang.org/x/image/draw"
)

// Measures of a sheet, in pixels.
const (
	sheetCell = 224 // the longer side of a picture
	sheetGap  = 6
	sheetText = 14
	sheetName = 130 // width of the names before rows
)

// Sheet is a table of one picture under many maps, in the colours of [Overlay]: columns have headings, rows have names.
// The first column is the picture alone. saliency gives the map of a cell at w x h pixels, in 0..1, or why there is
// none, which is written in its place.
func Sheet(img image.Image, columns, rows []string,
	saliency func(column, row, w, h int) ([]float32, string)) image.Image {
	b := img.Bounds()
	w, h := sheetCell, max(sheetCell*b.Dy()/b.Dx(), 1)
	if b.Dy() > b.Dx() {
		w, h = max(sheetCell*b.Dx()/b.Dy(), 1), sheetCell
	}
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	whole := OnWhite(img)
	xdraw.CatmullRom.Scale(small, small.Rect, whole, whole.Rect, xdraw.Src, nil)
	p := NewPen(sheetText)
	headings := make([][]string, len(columns))
	top := p.Line
	for i, s := range columns {
		headings[i] = p.Wrap(s, w, maxTitleLines)
		top = max(top, len(headings[i])*p.Line)
	}
	top += 2 * sheetGap
	left := sheetGap + sheetName
	at := func(column, row int) image.Rectangle {
		x, y := left+column*(w+sheetGap), top+row*(h+sheetGap)
		return image.Rect(x, y, x+w, y+h)
	}
	end := at(len(columns), len(rows)-1).Max
	out := Blank(end.X+sheetGap, end.Y+sheetGap)
	p.Text(out, left, sheetGap, Ink, "picture")
	for column, lines := range headings {
		for i, s := range lines {
			p.Text(out, at(column+1, 0).Min.X, sheetGap+i*p.Line, Ink, s)
		}
	}
	for row, name := range rows {
		for i, s := range p.Wrap(name, sheetName-sheetGap, max(h/p.Line, 1)) {
			p.Text(out, sheetGap, at(0, row).Min.Y+i*p.Line, Ink, s)
		}
		draw.Draw(out, at(0, row), small, image.Point{}, draw.Src)
		for column := range columns {
			cell := at(column+1, row)
			m, none := saliency(column, row, w, h)
			if none != "" {
				Fill(out, cell, Faint)
				p.Centred(out, (cell.Min.X+cell.Max.X)/2, (cell.Min.Y+cell.Max.Y-p.Line)/2, Ink, p.Fit(none, w))
				continue
			}
			draw.Draw(out, cell, Blend(small, MapImage(m, w, h)), image.Point{}, draw.Src)
		}
	}
	return out
}
