package resample

import "fmt"

// Mosaic is logit maps of windows on a canvas, the network's whole input. Where windows
// overlap the map of the canvas is the mean of theirs: each window's tokens are resized to
// the window's pixels by the rule of [Bilinear], added to the canvas and divided by the
// number of windows there; the canvas is then resized to the picture by the same rule.
// That is how SCLIP and its family stitch sliding windows.
//
// No map of the canvas exists unless [Mosaic.Plane] makes it, of one query.
type Mosaic struct {
	W, H    int // of the canvas, in pixels
	Queries int
	Tiles   []Tile // in the order of addition; every pixel of the canvas is in one at least
}

// Tile is the logits of one window.
type Tile struct {
	X, Y, W, H int // pixels of the canvas that it covers
	// A padded window's tokens are resized to the padded size, MapW x MapH, and its own pixels cut out from
	// Left, Top. All are 0 without padding.
	MapW, MapH, Left, Top int
	Cols, Rows            int
	Logits                []float32 // token-major, [Rows*Cols, queries]
}

// Whole is the mosaic of one map of cols x rows tokens, resized to w x h pixels at once.
func Whole(logits []float32, cols, rows, queries, w, h int) Mosaic {
	return Mosaic{W: w, H: h, Queries: queries, Tiles: []Tile{{W: w, H: h, Cols: cols, Rows: rows, Logits: logits}}}
}

// check panics on what no caller means.
func (m Mosaic) check(w, h int) {
	mustBePositive(m.W, m.H, m.Queries, len(m.Tiles), w, h)
	for _, t := range m.Tiles {
		mustBePositive(t.W, t.H, t.Cols, t.Rows)
		mustHave("logits", len(t.Logits), t.Rows*t.Cols*m.Queries)
		mw, mh := t.size()
		if t.X < 0 || t.Y < 0 || t.X+t.W > m.W || t.Y+t.H > m.H || t.Left < 0 || t.Top < 0 || t.Left+t.W > mw ||
			t.Top+t.H > mh {
			panic(fmt.Sprintf("resample: tile %d,%d %dx%d of map %dx%d leaves the canvas of %dx%d or its map", t.X, t.Y, t.W,
				t.H, mw, mh, m.W, m.H))
		}
	}
}

// size is that of the map which the tokens are resized to.
func (t Tile) size() (w, h int) {
	if t.MapW == 0 {
		return t.W, t.H
	}
	return t.MapW, t.MapH
}

// layout is what all queries of a mosaic have in common at one size of picture.
type layout struct {
	Mosaic
	w, h         int
	across, down []tap    // of the picture in the canvas, per column and row
	tiles        []axes   // of each tile's pixels in its tokens
	count        []uint32 // of tiles at each pixel of the canvas
}

// axes are a tile's taps, per column and per row.
type axes struct{ x, y []tap }

// tap says which two source cells make an output.
type tap struct {
	i0, i1 int
	w0, w1 float32
}

func tapsOf(in, out int) []tap {
	t := bilinearTaps(in, out, 0)
	list := make([]tap, out)
	for i := range list {
		index, weight := t.of(i)
		list[i] = tap{index[0], index[1], weight[0], weight[1]}
	}
	return list
}

func (m Mosaic) layout(w, h int) *layout {
	m.check(w, h)
	l := &layout{Mosaic: m, w: w, h: h, across: tapsOf(m.W, w), down: tapsOf(m.H, h), count: make([]uint32, m.W*m.H)}
	known := map[[2]int][]tap{}
	taps := func(in, out int) []tap {
		if known[[2]int{in, out}] == nil {
			known[[2]int{in, out}] = tapsOf(in, out)
		}
		return known[[2]int{in, out}]
	}
	for _, t := range m.Tiles {
		mw, mh := t.size()
		l.tiles = append(l.tiles, axes{taps(t.Cols, mw)[t.Left:][:t.W], taps(t.Rows, mh)[t.Top:][:t.H]})
		for y := t.Y; y < t.Y+t.H; y++ {
			for x := t.X; x < t.X+t.W; x++ {
				l.count[y*m.W+x]++
			}
		}
	}
	for i, n := range l.count {
		if n == 0 {
			panic(fmt.Sprintf("resample: pixel %d,%d of the canvas is in no tile", i%m.W, i/m.W))
		}
	}
	return l
}

// field is a number at each token of each tile: values[tile][token*stride+offset].
type field struct {
	values         [][]float32
	stride, offset int
}

func (l *layout) query(q int) field {
	f := field{make([][]float32, len(l.Tiles)), l.Queries, q}
	for i, t := range l.Tiles {
		f.values[i] = t.Logits
	}
	return f
}

// box is a rectangle of pixels, the upper bounds excluded.
type box struct{ x0, y0, x1, y1 int }

func (b box) w() int { return b.x1 - b.x0 }
func (b box) h() int { return b.y1 - b.y0 }

func (b box) empty() bool { return b.w() <= 0 || b.h() <= 0 }

func (b box) and(c box) box {
	return box{max(b.x0, c.x0), max(b.y0, c.y0), min(b.x1, c.x1), min(b.y1, c.y1)}
}

func (t Tile) box() box { return box{t.X, t.Y, t.X + t.W, t.Y + t.H} }

// hull is the part of the canvas that a part of the picture is read from.
func (l *layout) hull(b box) box {
	return box{l.across[b.x0].i0, l.down[b.y0].i0, l.across[b.x1-1].i1 + 1, l.down[b.y1-1].i1 + 1}
}

// canvas sums a field over the tiles and divides by their number, on the part b of the
// canvas, into dst [b.h, b.w].
func (l *layout) canvas(dst []float32, b box, f field, scratch *[]float32) {
	clear(dst)
	w := b.w()
	for i, t := range l.Tiles {
		part := t.box().and(b)
		if part.empty() {
			continue
		}
		xs, ys := l.tiles[i].x[part.x0-t.X:part.x1-t.X], l.tiles[i].y[part.y0-t.Y:part.y1-t.Y]
		first, n := ys[0].i0, len(xs)
		*scratch = grow(*scratch, (ys[len(ys)-1].i1+1-first)*n)
		rows := *scratch
		for r := range len(rows) / n {
			tokens := f.values[i][(first+r)*t.Cols*f.stride+f.offset:]
			to := rows[r*n:][:n]
			for x, p := range xs {
				to[x] = float32(tokens[p.i0*f.stride]*p.w0) + float32(tokens[p.i1*f.stride]*p.w1)
			}
		}
		for y, p := range ys {
			a, c := rows[(p.i0-first)*n:][:n], rows[(p.i1-first)*n:][:n]
			lerpAdd(dst[(part.y0-b.y0+y)*w+part.x0-b.x0:][:n], a, c, p.w0, p.w1)
		}
	}
	for y := range b.h() {
		count := l.count[(b.y0+y)*l.W+b.x0:][:w]
		row := dst[y*w:][:w]
		for x, n := range count {
			if n > 1 {
				row[x] /= float32(n)
			}
		}
	}
}

// picture resizes the part hull of the canvas to the part b of the picture, dst [b.h, b.w].
func (l *layout) picture(dst []float32, b box, canvas []float32, hull box, scratch *[]float32) {
	w, cw := b.w(), hull.w()
	*scratch = grow(*scratch, hull.h()*w)
	rows := *scratch
	xs := l.across[b.x0:b.x1]
	for y := range hull.h() {
		from, to := canvas[y*cw:][:cw], rows[y*w:][:w]
		for x, p := range xs {
			to[x] = float32(from[p.i0-hull.x0]*p.w0) + float32(from[p.i1-hull.x0]*p.w1)
		}
	}
	for y := range b.h() {
		p := l.down[b.y0+y]
		a, c := rows[(p.i0-hull.y0)*w:][:w], rows[(p.i1-hull.y0)*w:][:w]
		lerp(dst[y*w:][:w], a, c, p.w0, p.w1)
	}
}

// Plane sets dst, w x h pixels, to the map of query q at the size of the picture.
func (m Mosaic) Plane(dst []float32, w, h, q int) {
	m.layout(w, h).plane(dst, m.query(q), &buffers{})
}

func (m Mosaic) query(q int) field { return (&layout{Mosaic: m}).query(q) }

// buffers are scratch space of one goroutine.
type buffers struct{ sheet, a, b []float32 }

func (l *layout) plane(dst []float32, f field, s *buffers) {
	mustHave("plane", len(dst), l.w*l.h)
	s.sheet = grow(s.sheet, l.W*l.H)
	all := box{0, 0, l.W, l.H}
	l.canvas(s.sheet, all, f, &s.a)
	l.picture(dst, box{0, 0, l.w, l.h}, s.sheet, all, &s.b)
}
