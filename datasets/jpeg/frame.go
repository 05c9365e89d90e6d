package jpeg

import (
	"encoding/binary"
	"image"
)

// frame is a picture while its file is read: sequential or progressive, of 8 bits and Huffman codes, which is what
// cameras, data sets and the web have.
type frame struct {
	width, height           int
	progressive             bool
	components              []*component
	maxH, maxV              int
	unitsAcross, unitsDown  int // groups of blocks that hold as much of each component
	interval                int // units between two restart markers, or 0
	steps                   [4]*[64]uint16
	tables                  [2][4]*huffman // of first coefficients, and of the others
	jfif, adobe, adobePlain bool
	ended                   bool
}

// component is one channel.
type component struct {
	id               byte
	h, v             int // blocks in a unit
	selector         byte
	steps            *[64]uint16 // as its first scan found them
	dcTable, acTable *huffman
	across, down     int // blocks that hold samples of the picture
	stride           int // blocks in a row, with those that fill up a unit
	dc               int32
	coefficients     [][64]int16 // of a progressive file
	pix              []byte      // samples, 8*stride in a row
}

// read decodes a file to samples as they are stored. It returns nil for what it does not know and for what is broken:
// image/jpeg then has its say.
func read(data []byte) image.Image {
	f := &frame{}
	for at := 2; !f.ended; {
		for at < len(data) && data[at] != 0xff {
			at++
		}
		for at < len(data) && data[at] == 0xff {
			at++
		}
		if at >= len(data) {
			return nil
		}
		marker := data[at]
		at++
		if marker == 0 || marker == 1 || marker&^7 == 0xd0 {
			continue
		}
		if marker == 0xd9 {
			break
		}
		if at+2 > len(data) {
			return nil
		}
		n := int(binary.BigEndian.Uint16(data[at:]))
		if n < 2 || at+n > len(data) || !f.segment(marker, data[at+2:at+n]) {
			return nil
		}
		if at += n; marker == 0xda {
			used, ok := f.scan(data[at:], data[at-n+2:at])
			if !ok {
				return nil
			}
			at += used
		}
	}
	return f.picture()
}

// segment takes up a marker segment that is no scan; false if it is broken or not known here.
func (f *frame) segment(marker byte, body []byte) bool {
	switch {
	case marker == 0xc4:
		return f.huffmanTables(body)
	case marker == 0xdb:
		return f.stepTables(body)
	case marker == 0xdd:
		if len(body) < 2 {
			return false
		}
		f.interval = int(binary.BigEndian.Uint16(body))
	case marker == 0xc0 || marker == 0xc1 || marker == 0xc2:
		return f.header(body, marker == 0xc2)
	case marker == 0xe0 && len(body) >= 5 && string(body[:5]) == "JFIF\x00":
		f.jfif = true
	case marker == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe":
		f.adobe, f.adobePlain = true, body[11] == 0
	case marker >= 0xe0 || marker == 0xda: // applications', comments
	default:
		return false // lossless, arithmetic, hierarchical, height given later
	}
	return true
}

func (f *frame) huffmanTables(body []byte) bool {
	for len(body) > 0 {
		if len(body) < 17 {
			return false
		}
		class, slot := body[0]>>4, body[0]&15
		counts := [16]byte(body[1:17])
		total := 0
		for _, c := range counts {
			total += int(c)
		}
		if class > 1 || slot > 3 || total > 256 || len(body) < 17+total {
			return false
		}
		h := newHuffman(counts, body[17:17+total])
		if h == nil {
			return false
		}
		f.tables[class][slot], body = h, body[17+total:]
	}
	return true
}

func (f *frame) stepTables(body []byte) bool {
	for len(body) > 0 {
		wide, slot := int(body[0]>>4), body[0]&15
		if wide > 1 || slot > 3 || len(body) < 1+64*(1+wide) {
			return false
		}
		steps := new([64]uint16)
		for k, at := range zigzag {
			if wide == 1 {
				steps[at] = binary.BigEndian.Uint16(body[1+2*k:])
			} else {
				steps[at] = uint16(body[1+k])
			}
		}
		f.steps[slot], body = steps, body[1+64*(1+wide):]
	}
	return true
}

// header reads a frame header: T.81, B.2.2.
func (f *frame) header(body []byte, progressive bool) bool {
	if f.components != nil || len(body) < 6 || body[0] != 8 || len(body) < 6+3*int(body[5]) {
		return false
	}
	f.progressive = progressive
	f.height, f.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	n := int(body[5])
	if f.height == 0 || f.width == 0 || n != 1 && n != 3 && n != 4 {
		return false
	}
	for i := range n {
		b := body[6+3*i:]
		c := &component{id: b[0], h: int(b[1] >> 4), v: int(b[1] & 15), selector: b[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.selector > 3 {
			return false
		}
		f.maxH, f.maxV = max(f.maxH, c.h), max(f.maxV, c.v)
		f.components = append(f.components, c)
	}
	return f.allot()
}

// allot lays out the blocks; false for samplings of no known chroma filter.
func (f *frame) allot() bool {
	f.unitsAcross, f.unitsDown = up(f.width, 8*f.maxH), up(f.height, 8*f.maxV)
	for i, c := range f.components {
		luma := i == 0 || i == 3
		if f.maxH%c.h != 0 || f.maxV%c.v != 0 || luma && (c.h != f.maxH || c.v != f.maxV) || i == 2 &&
			(c.h != f.components[1].h || c.v != f.components[1].v) {
			return false
		}
		c.across, c.down = up(up(f.width*c.h, f.maxH), 8), up(up(f.height*c.v, f.maxV), 8)
		c.stride = f.unitsAcross * c.h
		blocks := c.stride * f.unitsDown * c.v
		c.pix = make([]byte, 64*blocks)
		if f.progressive {
			c.coefficients = make([][64]int16, blocks)
		}
	}
	return true
}

func up(a, b int) int { return (a + b - 1) / b }

// scan reads a scan with its header (T.81, B.2.3) and returns the length of its entropy-coded part.
func (f *frame) scan(data, header []byte) (used int, ok bool) {
	if f.components == nil || len(header) < 1 || len(header) < 4+2*int(header[0]) {
		return 0, false
	}
	n := int(header[0])
	tail := header[1+2*n:]
	s := scan{bitReader: bitReader{data: data}, from: int(tail[0]), to: int(tail[1]), high: uint(tail[2] >> 4),
		low: uint(tail[2] & 15)}
	for i := range n {
		c := f.component(header[1+2*i])
		slot := header[2+2*i]
		if c == nil || slot>>4 > 3 || slot&15 > 3 {
			return 0, false
		}
		for _, other := range s.components {
			if other == c {
				return 0, false
			}
		}
		if c.steps == nil {
			c.steps = f.steps[c.selector]
		}
		c.dc, c.dcTable, c.acTable = 0, f.tables[0][slot>>4], f.tables[1][slot&15]
		s.components = append(s.components, c)
	}
	if !f.valid(&s) {
		return 0, false
	}
	block := s.whole
	if f.progressive {
		block = s.band
	}
	ok = s.decode(f, block)
	return s.at, ok
}

// valid reports whether the scan's components have what its bits need.
func (f *frame) valid(s *scan) bool {
	if len(s.components) == 0 || f.progressive && (s.from > s.to || s.to > 63 || s.low > 13 || s.from == 0 &&
		s.to != 0 || s.from > 0 && len(s.components) > 1 || s.high != 0 && s.high != s.low+1) {
		return false
	}
	for _, c := range s.components {
		dc, ac := !f.progressive || s.from == 0 && s.high == 0, !f.progressive || s.from > 0
		if c.steps == nil || dc && c.dcTable == nil || ac && c.acTable == nil {
			return false
		}
	}
	return true
}

func (f *frame) component(id byte) *component {
	for _, c := range f.components {
		if c.id == id {
			return c
		}
	}
	return nil
}

// at has a block decoded: to be kept in a progressive file, else into samples at once.
func (f *frame) at(c *component, x, y int, block func(*component, *[64]int16)) {
	i := y*c.stride + x
	if f.progressive {
		block(c, &c.coefficients[i])
		return
	}
	var b [64]int16
	block(c, &b)
	c.samples(x, y, &b)
}

func (c *component) samples(x, y int, b *[64]int16) {
	inverseDCT(c.pix[8*(8*y*c.stride+x):], 8*c.stride, b, c.steps)
}

// picture is what the components hold, in the types of image/jpeg.
func (f *frame) picture() image.Image {
	if f.components == nil {
		return nil
	}
	for _, c := range f.components {
		if c.steps == nil { // no scan
			return nil
		}
		for i := range c.coefficients {
			c.samples(i%c.stride, i/c.stride, &c.coefficients[i])
		}
	}
	switch r := image.Rect(0, 0, f.width, f.height); len(f.components) {
	case 1:
		c := f.components[0]
		return &image.Gray{Pix: c.pix, Stride: 8 * c.stride, Rect: r}
	case 3:
		return f.colours(r)
	default:
		return f.inks(r)
	}
}

// colours are three channels: red, green and blue only if the file says so, by the rules of libjpeg's jdapimin.c.
func (f *frame) colours(r image.Rectangle) image.Image {
	a, b, c := f.components[0], f.components[1], f.components[2]
	plain := string([]byte{a.id, b.id, c.id}) == "RGB"
	if f.adobe {
		plain = f.adobePlain
	}
	if !plain || f.jfif {
		ratio, ok := ratios[[2]int{a.h / b.h, a.v / b.v}]
		if !ok {
			return nil
		}
		return &image.YCbCr{Y: a.pix, Cb: b.pix, Cr: c.pix, YStride: 8 * a.stride, CStride: 8 * b.stride,
			SubsampleRatio: ratio, Rect: r}
	}
	if b.h != a.h || b.v != a.v {
		return nil
	}
	m := image.NewRGBA(r)
	for i := range m.Pix {
		x, y := i/4%f.width, i/4/f.width
		if i%4 < 3 {
			m.Pix[i] = f.components[i%4].pix[y*8*a.stride+x]
		} else {
			m.Pix[i] = 255
		}
	}
	return m
}

var ratios = map[[2]int]image.YCbCrSubsampleRatio{
	{1, 1}: image.YCbCrSubsampleRatio444, {2, 1}: image.YCbCrSubsampleRatio422, {2, 2}: image.YCbCrSubsampleRatio420,
	{1, 2}: image.YCbCrSubsampleRatio440, {4, 1}: image.YCbCrSubsampleRatio411, {4, 2}: image.YCbCrSubsampleRatio410,
}

// inks are four channels, inverted as image/jpeg has them, with the samples of subsampled ones repeated.
func (f *frame) inks(r image.Rectangle) image.Image {
	m := image.NewCMYK(r)
	for i, c := range f.components {
		sx, sy := f.maxH/c.h, f.maxV/c.v
		for y := range f.height {
			row, out := c.pix[y/sy*8*c.stride:], m.Pix[y*m.Stride+i:]
			for x := range f.width {
				out[4*x] = 255 - row[x/sx]
			}
		}
	}
	return m
}
