package jpeg

// zigzag is where in row order the coefficients of a block stand: T.81, figure A.6.
var zigzag = [64]byte{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// scan is one pass over blocks: of all coefficients, or in a progressive file of a band from one to another, whose bits
// but the lowest low come first and are refined one by one (high is then low + 1).
type scan struct {
	bitReader
	components []*component
	from, to   int
	high, low  uint
	run        int32 // blocks of a band that are known to have nothing more
}

// decode reads the scan's entropy-coded part block by block; each has the blocks' own decoder. False if it ends too
// early.
func (s *scan) decode(f *frame, block func(c *component, coefficients *[64]int16)) bool {
	across, down := f.unitsAcross, f.unitsDown
	single := len(s.components) == 1
	if single { // not in groups, and without the blocks that only fill up a group
		across, down = s.components[0].across, s.components[0].down
	}
	for unit := range across * down {
		if f.interval > 0 && unit > 0 && unit%f.interval == 0 {
			if !s.restart() {
				return false
			}
			s.run = 0
			for _, c := range s.components {
				c.dc = 0
			}
		}
		ux, uy := unit%across, unit/across
		if single {
			f.at(s.components[0], ux, uy, block)
		} else {
			for _, c := range s.components {
				for i := range c.h * c.v {
					f.at(c, ux*c.h+i%c.h, uy*c.v+i/c.h, block)
				}
			}
		}
		if s.over() {
			return false
		}
	}
	return true
}

// whole reads all coefficients of a block: T.81, F.2.2.
func (s *scan) whole(c *component, b *[64]int16) {
	c.dc += s.signed(uint(s.symbol(c.dcTable) & 15))
	b[0] = int16(c.dc)
	for k := 1; k < 64; k++ {
		rs := s.symbol(c.acTable)
		bits := uint(rs & 15)
		if bits == 0 {
			if rs != 0xf0 {
				return
			}
			k += 15
			continue
		}
		if k += int(rs >> 4); k > 63 {
			s.bad = true
			return
		}
		b[zigzag[k]] = int16(s.signed(bits))
	}
}

// band reads what a progressive scan says of a block: T.81, G.1.2.
func (s *scan) band(c *component, b *[64]int16) {
	switch {
	case s.from == 0 && s.high == 0:
		c.dc += s.signed(uint(s.symbol(c.dcTable) & 15))
		b[0] = int16(c.dc << s.low)
	case s.from == 0:
		b[0] |= int16(s.take(1) << s.low)
	case s.high == 0:
		s.first(c, b)
	default:
		s.refine(c, b)
	}
}

// first reads the upper bits of a band.
func (s *scan) first(c *component, b *[64]int16) {
	if s.run > 0 {
		s.run--
		return
	}
	for k := s.from; k <= s.to; k++ {
		rs := s.symbol(c.acTable)
		bits := uint(rs & 15)
		if bits == 0 {
			if rs != 0xf0 {
				s.run = s.runOf(rs) - 1
				return
			}
			k += 15
			continue
		}
		if k += int(rs >> 4); k > s.to {
			s.bad = true
			return
		}
		b[zigzag[k]] = int16(s.signed(bits) << s.low)
	}
}

// runOf is how many blocks, this one among them, have nothing more.
func (s *scan) runOf(rs byte) int32 {
	r := uint(rs >> 4)
	return 1<<r + s.take(r)
}

// refine reads one more bit of a band: T.81, G.1.2.3.
func (s *scan) refine(c *component, b *[64]int16) {
	one := int16(1) << s.low
	k := s.from
	for s.run == 0 && k <= s.to {
		rs := s.symbol(c.acTable)
		zeros, fresh := int(rs>>4), int16(0)
		switch {
		case rs&15 != 0: // a coefficient that was zero until now
			if fresh = -one; s.take(1) != 0 {
				fresh = one
			}
		case rs != 0xf0:
			s.run = s.runOf(rs)
			continue
		}
		k = s.correct(b, k, zeros, one)
		if fresh != 0 && k <= s.to {
			b[zigzag[k]] = fresh
		}
		k++
	}
	if s.run > 0 {
		s.correct(b, k, 64, one)
		s.run--
	}
}

// correct reads a bit for each coefficient from k on that is not zero, and returns where the zeros skipped are used up.
func (s *scan) correct(b *[64]int16, k, zeros int, one int16) int {
	for ; k <= s.to; k++ {
		v := &b[zigzag[k]]
		switch {
		case *v == 0:
			if zeros == 0 {
				return k
			}
			zeros--
		case s.take(1) != 0 && *v&one == 0:
			if *v > 0 {
				*v += one
			} else {
				*v -= one
			}
		}
	}
	return k
}
