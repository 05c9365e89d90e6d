package draw

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"strconv"
)

// Overlay is the usual picture of a similarity map: img under saliency [h, w] in
// 0..1 (of the size of img), with a colour bar and title above. A pixel is 0.4
// of the image and 0.6 of Jet(saliency), as in the demonstrations of CLIP Surgery.
// NaN counts as 0. It panics if saliency is not of the size of img.
func Overlay(img image.Image, saliency []float32, title string) image.Image {
	b := img.Bounds()
	pic := Blend(OnWhite(img), MapImage(saliency, b.Dx(), b.Dy()))
	return captioned(pic, title, true)
}

// Blend is 0.4 pic + 0.6 Jet(saliency), cut off to 8 bits. saliency has the size of pic.
func Blend(pic *image.RGBA, saliency *image.Gray) *image.RGBA {
	// The conversions keep a compiler from fusing, so that all machines give equal bytes.
	var under, over [256]float64
	for i := range under {
		under[i], over[i] = float64(float64(i)*0.4), float64(float64(i)*0.6)
	}
	out := image.NewRGBA(pic.Rect)
	for i, x := range saliency.Pix {
		c, p, o := Jet[x], pic.Pix[4*i:4*i+4], out.Pix[4*i:4*i+4]
		o[0] = uint8(under[p[0]] + over[c.R])
		o[1] = uint8(under[p[1]] + over[c.G])
		o[2] = uint8(under[p[2]] + over[c.B])
		o[3] = 255
	}
	return out
}

const (
	maxTitleLines = 4
	minCanvas     = 200 // pixels across, so that a title over a small picture can be read
)

// captioned puts pic on white paper under a title, and beside it a colour bar from 0 to 1 if asked.
func captioned(pic *image.RGBA, title string, bar bool) *image.RGBA {
	w, h := pic.Rect.Dx(), pic.Rect.Dy()
	size := min(max(max(w, h)/34, 14), 40)
	p := NewPen(size)
	margin, right := size/2, size/2
	if bar {
		right = size/2 + size + size/3 + p.Width("0.25") + size/2
	}
	width := max(margin+w+right, minCanvas)
	lines := p.Wrap(title, width-2*margin, maxTitleLines)
	top := margin + len(lines)*p.Line
	if len(lines) > 0 {
		top += margin / 2
	}
	out := Blank(width, top+h+margin)
	for i, s := range lines {
		p.Text(out, margin, margin+i*p.Line, Ink, s)
	}
	draw.Draw(out, image.Rect(margin, top, margin+w, top+h), pic, image.Point{}, draw.Src)
	if bar {
		x := margin + w + size/2
		colorBar(out, p, image.Rect(x, top, x+size, top+h))
	}
	return out
}

// colorBar draws Jet from 0 at the bottom to 1 at the top of r, with as many ticks to the right as there is room for.
func colorBar(dst draw.Image, p *Pen, r image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		i := 255 * (r.Max.Y - 1 - y) / max(r.Dy()-1, 1)
		Fill(dst, image.Rect(r.Min.X, y, r.Max.X, y+1), Jet[i])
	}
	steps := 4
	for steps > 1 && r.Dy() < 2*p.Line*steps {
		steps /= 2
	}
	if r.Dy() < 2*p.Line {
		return
	}
	for i := range steps + 1 {
		v := float64(i) / float64(steps)
		y := r.Max.Y - 1 - i*(r.Dy()-1)/steps
		Fill(dst, image.Rect(r.Max.X, y, r.Max.X+p.Line/5, y+1), Ink)
		at := min(max(y-p.Line/2, r.Min.Y), r.Max.Y-p.Line) // inside, at the ends
		p.Text(dst, r.Max.X+p.Line/3, at, Ink, strconv.FormatFloat(v, 'g', -1, 64))
	}
}

// EncodePNG is img as a PNG file. The compression is the fast one.
func EncodePNG(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	err := e.Encode(&b, img)
	return b.Bytes(), err
}
