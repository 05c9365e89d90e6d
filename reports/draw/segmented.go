package draw

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	xdraw "golang.org/x/image/draw"
)

// PointMark is a point prompt in pixels of a picture, on the object or off it.
type PointMark struct {
	X, Y float64
	On   bool
}

// Segmented is one object that an interactive segmenter cut out of a picture.
type Segmented struct {
	Image    image.Image
	Saliency []float32 // [h, w] in 0..1, the map that the prompt was made from; nil without
	Marks    []PointMark
	Box      *image.Rectangle
	Mask     []uint8 // [h, w], 0 outside
	Title    string
	Note     string // under the mask
}

// Colours of prompts and masks.
var (
	onColor   = color.RGBA{230, 30, 40, 255}
	offColor  = color.RGBA{35, 90, 235, 255}
	boxColor  = color.RGBA{60, 200, 60, 255}
	maskColor = color.RGBA{255, 214, 10, 255}
)

// Measures of the figure in pixels; pictures are drawn with a longer side between the first two.
const (
	leastPrompted, mostPrompted = 320, 900

	segmentedMargin, segmentedGap = 20, 12
	titleText, noteText           = 22, 14 // sizes
)

// Draw is the figure of a segmentation: the picture, the map with the points (red on the object, blue off it) and the
// box, and the mask over the picture, side by side under the title. Without a map the points are on the picture.
func (s Segmented) Draw() image.Image {
	f := s.fit()
	panels := []promptedPanel{{f.picture, "picture"}}
	marked := clone(f.picture)
	if f.saliency != nil {
		marked = Blend(f.picture, f.saliency)
	}
	f.mark(marked)
	masked := clone(f.picture)
	f.shade(masked)
	panels = append(panels, promptedPanel{marked, s.promptNote()}, promptedPanel{masked, s.Note})

	w, h := f.picture.Rect.Dx(), f.picture.Rect.Dy()
	head, small := NewPen(titleText), NewPen(noteText)
	width := 2*segmentedMargin + len(panels)*(w+segmentedGap) - segmentedGap
	out := Blank(width, segmentedMargin+head.Line+segmentedGap+h+small.Line+segmentedMargin)
	head.Text(out, segmentedMargin, segmentedMargin, Ink, head.Fit(s.Title, width-2*segmentedMargin))
	for i, p := range panels {
		x, y := segmentedMargin+i*(w+segmentedGap), segmentedMargin+head.Line+segmentedGap
		draw.Draw(out, image.Rect(x, y, x+w, y+h), p.picture, image.Point{}, draw.Src)
		small.Centred(out, x+w/2, y+h+2, Faint, small.Fit(p.note, w))
	}
	return out
}

type promptedPanel struct {
	picture image.Image
	note    string
}

// promptNote says what the prompt was.
func (s Segmented) promptNote() string {
	on := 0
	for _, m := range s.Marks {
		if m.On {
			on++
		}
	}
	note := fmt.Sprintf("%d points on, %d off", on, len(s.Marks)-on)
	switch {
	case s.Box != nil && len(s.Marks) == 0:
		note = "box"
	case s.Box != nil:
		note += ", box"
	}
	return note
}

// fitted is a segmentation at the size at which it is drawn.
type fitted struct {
	picture  *image.RGBA
	saliency *image.Gray // nil without
	mask     *image.Gray
	marks    []PointMark
	box      *image.Rectangle
	radius   int
}

// fit scales everything to the size of the figure.
func (s Segmented) fit() fitted {
	b := s.Image.Bounds()
	w, h := b.Dx(), b.Dy()
	long := min(max(max(w, h), leastPrompted), mostPrompted)
	scale := float64(long) / float64(max(w, h))
	to := image.Rect(0, 0, max(int(float64(w)*scale+0.5), 1), max(int(float64(h)*scale+0.5), 1))
	f := fitted{picture: image.NewRGBA(to), mask: image.NewGray(to), radius: max(long/150, 3)}
	filter := xdraw.Interpolator(xdraw.ApproxBiLinear)
	if scale < 1 {
		filter = xdraw.BiLinear // which widens when it shrinks
	}
	filter.Scale(f.picture, to, OnWhite(s.Image), image.Rect(0, 0, w, h), draw.Src, nil)
	if s.Saliency != nil {
		f.saliency = image.NewGray(to)
		filter.Scale(f.saliency, to, MapImage(s.Saliency, w, h), image.Rect(0, 0, w, h), draw.Src, nil)
	}
	mask := &image.Gray{Pix: s.Mask, Stride: w, Rect: image.Rect(0, 0, w, h)}
	xdraw.NearestNeighbor.Scale(f.mask, to, mask, mask.Rect, draw.Src, nil)
	for _, m := range s.Marks {
		f.marks = append(f.marks, PointMark{(m.X + 0.5) * scale, (m.Y + 0.5) * scale, m.On})
	}
	if s.Box != nil {
		at := func(v int) int { return int(float64(v)*scale + 0.5) }
		r := image.Rect(at(s.Box.Min.X), at(s.Box.Min.Y), at(s.Box.Max.X), at(s.Box.Max.Y)).Intersect(to)
		f.box = &r
	}
	return f
}

// mark draws the prompt.
func (f *fitted) mark(dst *image.RGBA) {
	if f.box != nil {
		for i := range 2 {
			Frame(dst, f.box.Inset(1+i), boxColor)
		}
	}
	for _, m := range f.marks {
		c := offColor
		if m.On {
			c = onColor
		}
		dot(dst, m.X, m.Y, float64(f.radius)+1.5, Paper)
		dot(dst, m.X, m.Y, float64(f.radius), c)
	}
}

// shade mixes a colour into the pixels of the mask, and draws its contour.
func (f *fitted) shade(dst *image.RGBA) {
	w, h := f.mask.Rect.Dx(), f.mask.Rect.Dy()
	inside := func(x, y int) bool { return x >= 0 && y >= 0 && x < w && y < h && f.mask.Pix[y*w+x] > 0 }
	for y := range h {
		for x := range w {
			if !inside(x, y) {
				continue
			}
			p := dst.Pix[y*dst.Stride+4*x:][:3]
			edge := !(inside(x-1, y) && inside(x+1, y) && inside(x, y-1) && inside(x, y+1))
			for k, c := range [3]uint8{maskColor.R, maskColor.G, maskColor.B} {
				if p[k] = uint8((int(p[k]) + int(c)) / 2); edge {
					p[k] = c
				}
			}
		}
	}
}

func dot(dst *image.RGBA, x, y, radius float64, c color.RGBA) {
	for j := int(y - radius); j <= int(y+radius)+1; j++ {
		for i := int(x - radius); i <= int(x+radius)+1; i++ {
			dx, dy := float64(i)+0.5-x, float64(j)+0.5-y
			if dx*dx+dy*dy <= radius*radius {
				dst.SetRGBA(i, j, c) // which leaves out what is not on the picture
			}
		}
	}
}

func clone(m *image.RGBA) *image.RGBA {
	out := image.NewRGBA(m.Rect)
	copy(out.Pix, m.Pix)
	return out
}
