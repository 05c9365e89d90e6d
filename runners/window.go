package runners

import (
	"context"
	"fmt"
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
}

// Padding is what becomes of windows that are no whole number of patches.
type Padding uint8

// The paddings in use.
const (
	// NoPadding leaves out the rest of the last patch. The map of the tokens is stretched over the window.
	NoPadding Padding = iota
	// Around puts zeros around the window, shared out evenly, an odd one behind. The map covers them too, and is cut.
	Around
	// Corner puts zeros behind the window, as mmsegmentation's patches do. The map is stretched over the window without them.
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

// padding is where a window of n pixels lies in its padded size, a multiple of the patch.
func (s Sliding) padding(n, patch int) (before, size int) {
	size = (n + patch - 1) / patch * patch
	switch s.Pad {
	case Around:
		return (size - n) / 2, size
	case Corner:
		return 0, size
	}
	return 0, n
}

// cut copies windows out of pixels [1, 3, H, W]: [len(ws), 3, h, w] with the padded size.
func (s Sliding) cut(pixels tensor.Dense, ws []Window, patch int) tensor.Dense {
	height, width := pixels.Shape[2], pixels.Shape[3]
	if len(ws) == 1 && ws[0] == (Window{0, 0, width, height}) && s.Pad == NoPadding {
		return pixels
	}
	top, h := s.padding(ws[0].H, patch)
	left, w := s.padding(ws[0].W, patch)
	out := tensor.New(len(ws), 3, h, w)
	for i, win := range ws {
		for c := range 3 {
			for y := range win.H {
				from := pixels.Data[(c*height+win.Y+y)*width+win.X:][:win.W]
				copy(out.Data[((i*3+c)*h+top+y)*w+left:], from)
			}
		}
	}
	return out
}

// windowTokens bounds the tokens of one run of the network: what attention holds grows with it. A window that is larger runs alone.
const windowTokens = 4096

// maxWindows bounds the windows of a picture: published protocols have up to 45, and Cityscapes at stride 28 some 430.
const maxWindows = 4096

// Scan is what each method saw of one picture: cosines of every window's tokens with all texts.
type Scan struct {
	Height, Width int // of the input
	Windows       []Window
	Rows, Cols    int // tokens of a window

	sliding Sliding
	patch   int
	texts   int      // of all vocabularies
	methods [][]Maps // by method and window, of methods that some vocabulary wants
}

// Scan runs the network on the windows of pixels [1, 3, H, W], with the texts of vocabularies, one behind the other. Windows
// run together, as many as fit a bound on memory.
func (r *Images) Scan(ctx context.Context, pixels tensor.Dense, s Sliding, words ...Vocabulary) (Scan, error) {
	out := Scan{Height: pixels.Shape[2], Width: pixels.Shape[3], sliding: s, patch: r.model.Patch, methods: make([][]Maps, len(r.names))}
	for _, v := range words {
		out.texts += v.Texts.Shape[0]
	}
	out.Windows = s.Windows(out.Height, out.Width)
	if len(out.Windows) > maxWindows {
		return Scan{}, fmt.Errorf("an input of %dx%d pixels has %d windows of %d at stride %d, more than %d; choose a larger stride", out.Height, out.Width, len(out.Windows), s.Window, s.Stride, maxWindows)
	}
	_, h := s.padding(out.Windows[0].H, out.patch)
	_, w := s.padding(out.Windows[0].W, out.patch)
	out.Rows, out.Cols = r.Grid(h, w)
	batch := max(windowTokens/(1+out.Rows*out.Cols), 1)
	for first := 0; first < len(out.Windows); first += batch {
		ws := out.Windows[first:min(first+batch, len(out.Windows))]
		sims, err := r.similarities(ctx, s.cut(pixels, ws, out.patch), words)
		if err != nil {
			return Scan{}, err
		}
		for m, sim := range sims {
			if !slices.ContainsFunc(words, func(v Vocabulary) bool { return v.wants(m) }) {
				continue
			}
			for i := range ws {
				out.methods[m] = append(out.methods[m], sim.At(i))
			}
		}
	}
	return out, nil
}

// Maps are what one method says of one window, for texts from..to-1.
func (s Scan) Maps(method, window, from, to int) Maps {
	return s.methods[method][window].Select(from, to, s.texts)
}

// Mosaic is the map of texts from..to-1 for one method, stitched of the windows.
func (s Scan) Mosaic(method, from, to int) resample.Mosaic {
	out := resample.Mosaic{W: s.Width, H: s.Height, Queries: to - from}
	for i, w := range s.Windows {
		m := s.Maps(method, i, from, to)
		t := resample.Tile{X: w.X, Y: w.Y, W: w.W, H: w.H, Cols: m.Cols, Rows: m.Rows, Logits: m.Patches}
		if s.sliding.Pad == Around {
			t.Left, t.MapW = s.sliding.padding(w.W, s.patch)
			t.Top, t.MapH = s.sliding.padding(w.H, s.patch)
		}
		out.Tiles = append(out.Tiles, t)
	}
	return out
}
