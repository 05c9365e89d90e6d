package resample

// strip makes planes of many queries at once, row by row, as [layout.plane] makes one. It holds only the rows that the
// next one is interpolated from.
type strip struct {
	*layout
	tokens  []float32 // a row of a tile's tokens
	tiles   []twoRows // of each tile, as wide as the tile
	canvas  []float32 // a row of the canvas
	picture twoRows   // of the canvas, as wide as the picture
}

// twoRows are neighbouring rows of cells, an even and an odd one.
type twoRows struct {
	number [2]int // of the row that is there; -1: none
	cells  [2][]float32
}

func newTwoRows(width int) twoRows {
	return twoRows{[2]int{-1, -1}, [2][]float32{make([]float32, lanes*width), make([]float32, lanes*width)}}
}

// row is row i, made if it is not there.
func (r *twoRows) row(i int, fill func(dst []float32)) []float32 {
	to := r.cells[i%2]
	if r.number[i%2] != i {
		fill(to)
		r.number[i%2] = i
	}
	return to
}

func (r *twoRows) forget() { r.number = [2]int{-1, -1} }

func newStrip(l *layout) *strip {
	s := &strip{layout: l, canvas: make([]float32, lanes*l.W), picture: newTwoRows(l.w)}
	for _, t := range l.Tiles {
		s.tiles = append(s.tiles, newTwoRows(t.W))
		s.tokens = grow(s.tokens, max(lanes*t.Cols, len(s.tokens)))
	}
	return s
}

// fill sets the lanes of sheets to the planes of queries, the others to 0.
func (s *strip) fill(to *sheets, queries []int) {
	s.picture.forget()
	for i := range s.tiles {
		s.tiles[i].forget()
	}
	clear(s.tokens)
	stretched := func(y int) []float32 {
		return s.picture.row(y, func(dst []float32) {
			s.canvasRow(y, queries)
			stretch(dst, s.canvas, s.across)
		})
	}
	for y, p := range s.down {
		a := stretched(p.i0)
		lerp(to.inside(y), a, stretched(p.i1), p.w0, p.w1)
	}
}

// canvasRow sums the tiles in row y of the canvas, and divides by their number.
func (s *strip) canvasRow(y int, queries []int) {
	clear(s.canvas)
	for i, t := range s.Tiles {
		if y < t.Y || y >= t.Y+t.H {
			continue
		}
		expanded := func(row int) []float32 {
			return s.tiles[i].row(row, func(dst []float32) {
				s.gather(i, row, queries)
				stretch(dst, s.tokens, s.layout.tiles[i].x)
			})
		}
		p := s.layout.tiles[i].y[y-t.Y]
		a := expanded(p.i0)
		lerpAdd(s.canvas[lanes*t.X:][:lanes*t.W], a, expanded(p.i1), p.w0, p.w1)
	}
	divide(s.canvas, s.count[y*s.W:][:s.W])
}

// gather sets tokens to a row of tile i.
func (s *strip) gather(i, row int, queries []int) {
	t := s.Tiles[i]
	for x := range t.Cols {
		logits := t.Logits[(row*t.Cols+x)*s.Queries:][:s.Queries]
		c := cell(s.tokens, x)
		for k, q := range queries {
			c[k] = logits[q]
		}
	}
}
