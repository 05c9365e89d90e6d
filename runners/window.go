package runners

import (
	"context"
	"fmt"
	"image"
	"slices"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Window is a part of a network's input, in pixels.
type Window struct{ X, Y, W, H int }

// Sliding says in which windows a network sees its input. The zero Sliding is one window, the whole input.
type Sliding struct {
	Window, Stride int // side of the windows and the step between them; Window 0 is the whole input
	Pad            Padding
	// Fill is the colour of padding, 0..255. Protocols pad pixels that are normalised already with zeros, which is the
	// mean colour.
	Fill [3]float32
}

// Padding is what becomes of windows that are no whole number of patches.
type Padding uint8

// The paddings in use.
const (
	// NoPadding leaves out the rest of the last patch. The map of the tokens is stretched over the window.
	NoPadding Padding = iota
	// Around puts pixels around the window, shared out evenly, an odd one behind. The map covers them too, and is cut.
	Around
	// Corner puts pixels behind the window, as mmsegmentation's patches do. The map is stretched over the window without
	// them.
	Corner
)

// Windows lists the windows of an input of height x width pixels, row by row. An axis of L pixels has
// max(L - Window + Stride - 1, 0)/Stride + 1 of them; the last is shifted back to end at the border. All have one
// size: the window's, or the input's where that is smaller.
func (s Sliding) Windows(height, width int) []Window {
	if s.Window == 0 {
		return []Window{{0, 0, width, height}}
	}
	var out []Window
	w, h := min(s.Window, width), min(s.Window, height)
	for _, y := range s.starts(height) {
		for _, x := range s.starts(width) {
			out = append(out, Window{x, y, w, h})
		}
	}
	return out
}

func (s Sliding) starts(length int) []int {
	out := make([]int, max(length-s.Window+s.Stride-1, 0)/s.Stride+1)
	for i := range out {
		out[i] = max(min(i*s.Stride, length-s.Window), 0)
	}
	return out
}

// padding is where a window of n pixels lies in its padded size, a multiple.
func (s Sliding) padding(n, multiple int) (before, size int) {
	size = (n + multiple - 1) / multiple * multiple
	switch s.Pad {
	case Around:
		return (size - n) / 2, size
	case Corner:
		return 0, size
	}
	return 0, n
}

// cut copies windows out of pixels [1, 3, H, W]: [len(ws), 3, h, w] with the padded size.
func (s Sliding) cut(pixels tensor.Dense, ws []Window, multiple int) tensor.Dense {
	height, width := pixels.Shape[2], pixels.Shape[3]
	if len(ws) == 1 && ws[0] == (Window{0, 0, width, height}) && s.Pad == NoPadding {
		return pixels
	}
	top, h := s.padding(ws[0].H, multiple)
	left, w := s.padding(ws[0].W, multiple)
	out := tensor.New(len(ws), 3, h, w)
	for i, win := range ws {
		for c := range 3 {
			if win.H < h || win.W < w {
				plane := out.At(i).At(c).Data
				for k := range plane {
					plane[k] = s.Fill[c]
				}
			}
			for y := range win.H {
				from := pixels.Data[(c*height+win.Y+y)*width+win.X:][:win.W]
				copy(out.Data[((i*3+c)*h+top+y)*w+left:], from)
			}
		}
	}
	return out
}

// windowTokens bounds the tokens of one run of the network: what attention holds grows with it. A window that is larger
// runs alone.
const windowTokens = 4096

// maxWindows bounds the windows of a picture: published protocols have up to 45, and Cityscapes at stride 28 some 430.
const maxWindows = 4096

// Picture is what networks see of one picture.
type Picture struct {
	Pixels tensor.Dense // [1, 3, H, W] of the network's input, as [clip.Input] gives them
	// Image is the picture as it was read, for networks that resize it for themselves; nil is Pixels.
	Image *image.NRGBA
	// Regions are where regions lie in the picture as it was read, for methods that read them; nil is none.
	Regions *Regions
}

// image is the picture for networks that resize it for themselves.
func (p *Picture) image() *image.NRGBA {
	if p.Image != nil {
		return p.Image
	}
	h, w := p.Pixels.Shape[2], p.Pixels.Shape[3]
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		for c := range 3 {
			img.Pix[4*i+c] = uint8(min(max(p.Pixels.Data[c*w*h+i]+0.5, 0), 255))
		}
		img.Pix[4*i+3] = 255
	}
	return img
}

// size is that of the picture as it was read.
func (p *Picture) size() (w, h int) {
	if p.Image != nil {
		return p.Image.Rect.Dx(), p.Image.Rect.Dy()
	}
	return p.Pixels.Shape[3], p.Pixels.Shape[2]
}

// Scan is what each method saw of one picture: values of every window's patches for all texts.
type Scan struct {
	Height, Width int // of the input
	Windows       []Window

	picture   Picture
	sliding   Sliding
	texts     int      // of all sets
	multiples []int    // by method
	methods   [][]Maps // by method and window, of methods that some set wants
	joined    []bool   // by method: one map of the whole picture takes the place of the windows'
}

// newScan is a scan of the picture of which no method has said anything.
func (r *Images) newScan(p Picture, s Sliding, sets []TextSet) Scan {
	out := Scan{Height: p.Pixels.Shape[2], Width: p.Pixels.Shape[3], picture: p, sliding: s,
		methods: make([][]Maps, len(r.names)), joined: make([]bool, len(r.names)), texts: joined(sets).Shape[0]}
	for _, n := range r.networks {
		out.multiples = append(out.multiples, n.multiple)
	}
	out.Windows = s.Windows(out.Height, out.Width)
	return out
}

// Scan runs the network on the windows of a picture, with the texts of sets, one behind the other. Windows run
// together, as many as fit a bound on memory. Methods whose windows are padded to other sizes run apart.
func (r *Images) Scan(ctx context.Context, p Picture, s Sliding, sets ...TextSet) (Scan, error) {
	if err := checkSets(sets); err != nil {
		return Scan{}, err
	}
	out := r.newScan(p, s, sets)
	if len(out.Windows) > maxWindows {
		return Scan{}, fmt.Errorf("an input of %dx%d pixels has %d windows of %d at stride %d, more than %d; choose a "+
			"larger stride", out.Height, out.Width, len(out.Windows), s.Window, s.Stride, maxWindows)
	}
	groups := map[[2]int][]int{} // methods by padded size
	var sizes [][2]int
	for m, n := range r.networks {
		if !slices.ContainsFunc(sets, func(set TextSet) bool { return set.wants(m) }) {
			continue
		}
		_, h := s.padding(out.Windows[0].H, n.multiple)
		_, w := s.padding(out.Windows[0].W, n.multiple)
		size := [2]int{h, w}
		if groups[size] == nil {
			sizes = append(sizes, size)
		}
		groups[size] = append(groups[size], m)
	}
	seen := glance{Picture: p}
	for _, size := range sizes {
		if err := r.scan(ctx, &seen, &out, size, groups[size], sets); err != nil {
			return Scan{}, err
		}
	}
	return out, nil
}

// scan fills in what methods say whose windows are padded to size.
func (r *Images) scan(ctx context.Context, p *glance, out *Scan, size [2]int, methods []int, sets []TextSet) error {
	tokens := 0
	for _, m := range methods {
		rows, cols := r.networks[m].grid(size[0], size[1])
		tokens = max(tokens, 1+rows*cols)
	}
	batch := max(windowTokens/tokens, 1)
	keep := map[int][]tensor.Dense{} // of methods that look at all windows together, by window
	multiple := r.networks[methods[0]].multiple
	for first := 0; first < len(out.Windows); first += batch {
		ws := out.Windows[first:min(first+batch, len(out.Windows))]
		in := input{pixels: out.sliding.cut(p.Pixels, ws, multiple)}
		in.regions = func() (tensor.Dense, error) { return r.regionsOf(p.Picture, out.sliding, ws, multiple) }
		results, err := r.similarities(ctx, in, sets)
		if err != nil {
			return err
		}
		for _, m := range methods {
			for i := range ws {
				out.methods[m] = append(out.methods[m], results[m].At(i))
				if r.networks[m].whole != nil {
					keep[m] = append(keep[m], results[m].keep.At(i))
				}
			}
		}
	}
	for _, m := range methods {
		if keep[m] == nil {
			continue
		}
		if err := r.overWindows(ctx, out, m, keep[m], p, sets); err != nil {
			return err
		}
	}
	return nil
}

// Maps are what one method says of one window, for texts from..to-1.
func (s Scan) Maps(method, window, from, to int) Maps {
	return s.methods[method][window].Select(from, to, s.texts)
}

// Mosaic is the map of texts from..to-1 for one method, stitched of the windows. One that is of the whole picture has
// the size of the picture as it was read.
func (s Scan) Mosaic(method, from, to int) resample.Mosaic {
	if s.joined[method] {
		m := s.Maps(method, 0, from, to)
		w, h := s.picture.size()
		return resample.Whole(m.Patches, m.Cols, m.Rows, to-from, w, h)
	}
	out := resample.Mosaic{W: s.Width, H: s.Height, Queries: to - from}
	for i, w := range s.Windows {
		m := s.Maps(method, i, from, to)
		t := resample.Tile{X: w.X, Y: w.Y, W: w.W, H: w.H, Cols: m.Cols, Rows: m.Rows, Logits: m.Patches}
		if s.sliding.Pad == Around {
			t.Left, t.MapW = s.sliding.padding(w.W, s.multiples[method])
			t.Top, t.MapH = s.sliding.padding(w.H, s.multiples[method])
		}
		out.Tiles = append(out.Tiles, t)
	}
	return out
}
