package labelmap

import (
	"errors"
	"fmt"
	"image"
	"image/color"

	"ovbench/datasets/files"
	"ovbench/datasets/picture"
)

// ErrColours is a label map of which readers of other encodings may know what to say.
var ErrColours = errors.New("label map is stored as colours, not as class numbers; if a palette PNG was saved again " +
	"as RGB use the " +
	"original, else turn each colour into its class number (the data set folder does so by labelmap.txt or " +
	"class_dict.csv)")

// Read reads the numbers stored in a label map: the index of a palette (1 to 8 bits), the value of a grey one of 8 or
// 16 bits, and that of colours with or without alpha whose channels are equal in every pixel, which tools make of grey.
// Files are PNG, or others without loss. Nothing is mapped or ignored.
func Read(path string) (Map, error) { return read(path, decode) }

func read(path string, decode func([]byte) (Map, error)) (Map, error) {
	data, err := files.Read(path, files.MaxBytes)
	if err != nil {
		return Map{}, err
	}
	l, err := decode(data)
	if err != nil {
		return Map{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// raw decodes a file without loss.
func raw(data []byte) (image.Image, error) {
	kind, err := picture.Sniff(data)
	if err != nil {
		return nil, err
	}
	_, m, err := picture.Raw(data)
	if err != nil {
		return nil, err
	}
	switch m.(type) {
	case *image.YCbCr, *image.NYCbCrA:
	default:
		if kind != picture.JPEG {
			return m, nil
		}
	}
	return nil, fmt.Errorf("label maps are PNG, this is %s, whose lossy compression changes class numbers at "+
		"outlines; export the label maps again as PNG", kind)
}

func decode(data []byte) (Map, error) {
	m, err := raw(data)
	if err != nil {
		return Map{}, err
	}
	if bits := picture.GreyBits(data); bits < 8 {
		// Readers disagree: the stored 1 of a 4-bit grey is 1 or 17.
		return Map{}, fmt.Errorf("grey PNG of %d bits per pixel, whose 1 some readers take as 1 and others as %d; "+
			"save the class numbers, such as 0 and 1 of a mask, as 8-bit grey or palette PNG", bits, 255/(1<<bits-1))
	}
	l := Map{W: m.Bounds().Dx(), H: m.Bounds().Dy()}
	l.Pix = make([]uint16, l.W*l.H)
	switch m := m.(type) {
	case *image.Paletted:
		l.fill(m.Pix, m.Stride, 1, 1)
	case *image.Gray:
		l.fill(m.Pix, m.Stride, 1, 1)
	case *image.Gray16:
		l.fill(m.Pix, m.Stride, 1, 2)
	case *image.RGBA:
		err = l.grey(m.Pix, m.Stride, 1)
	case *image.NRGBA:
		err = l.grey(m.Pix, m.Stride, 1)
	case *image.RGBA64:
		err = l.grey(m.Pix, m.Stride, 2)
	case *image.NRGBA64:
		err = l.grey(m.Pix, m.Stride, 2)
	default:
		err = ErrColours
	}
	return l, err
}

// fill takes the first channel of pixels with so many channels, of a byte each or two, the high one first.
func (l Map) fill(pix []byte, stride, channels, bytes int) {
	for y := range l.H {
		out, in := l.Pix[y*l.W:(y+1)*l.W], pix[y*stride:]
		for x := range out {
			if at := x * channels * bytes; bytes == 1 {
				out[x] = uint16(in[at])
			} else {
				out[x] = uint16(in[at])<<8 | uint16(in[at+1])
			}
		}
	}
}

// grey is fill from four channels, of which three must be equal and the last opaque.
func (l Map) grey(pix []byte, stride, bytes int) (err error) {
	for y := range l.H {
		row := pix[y*stride:][:4*bytes*l.W]
		for ; len(row) > 0; row = row[4*bytes:] {
			for i := range bytes {
				switch {
				case row[i] != row[bytes+i] || row[i] != row[2*bytes+i]:
					return ErrColours
				case row[3*bytes+i] != 255:
					err = errAlpha
				}
			}
		}
	}
	l.fill(pix, stride, 4, bytes)
	return err
}

var errAlpha = fmt.Errorf("%w; its pixels are transparent in places, and nothing says what that means", ErrColours)

// ReadIDs reads a label map whose numbers are red + 256*green, as ImageNet-S has them, or a grey or palette one as
// [Read] does. Nothing is mapped or ignored.
func ReadIDs(path string) (Map, error) {
	return read(path, func(data []byte) (Map, error) {
		if l, err := DecodeIDs(data); !errors.Is(err, ErrNoColours) {
			return l, err
		}
		return decode(data)
	})
}

// ErrNoColours is a label map that stores no colours of 8 bits.
var ErrNoColours = errors.New("not an RGB PNG of 8 bits, which ImageNet-S stores R + 256*G in; use the original " +
	"label maps")

// DecodeIDs decodes a label map whose numbers are red + 256*green.
func DecodeIDs(data []byte) (Map, error) {
	return decodeColours(data, false, func(r, g, b uint8) (uint16, error) {
		if b != 0 {
			return 0, fmt.Errorf("%w: colour %d, %d, %d has blue, which no label of ImageNet-S has", ErrValue, r, g, b)
		}
		return uint16(r) | uint16(g)<<8, nil
	})
}

// Colours say which stored value each colour stands for.
type Colours map[[3]uint8]uint16

// ReadColours reads a label map in the colours of a table.
func ReadColours(path string, table Colours) (Map, error) {
	return read(path, func(data []byte) (Map, error) {
		return decodeColours(data, true, func(r, g, b uint8) (uint16, error) {
			if v, ok := table[[3]uint8{r, g, b}]; ok {
				return v, nil
			}
			return 0, fmt.Errorf("%w: colour %d, %d, %d is none of the %d of the table", ErrValue, r, g, b, len(table))
		})
	})
}

// decodeColours maps every colour of a map of 8 bits, also of one with a palette if that is asked for.
func decodeColours(data []byte, palette bool, value func(r, g, b uint8) (uint16, error)) (Map, error) {
	kind, m, err := picture.Raw(data)
	if err != nil {
		return Map{}, err
	}
	var pix []byte
	switch m := m.(type) {
	case *image.RGBA:
		pix = m.Pix
	case *image.NRGBA:
		pix = m.Pix
	case *image.Paletted:
		if palette {
			return byPalette(m, value)
		}
	}
	if pix == nil || kind.Lossy() {
		return Map{}, ErrNoColours
	}
	l := Map{W: m.Bounds().Dx(), H: m.Bounds().Dy()}
	l.Pix = make([]uint16, l.W*l.H)
	var last [3]uint8
	label, err := value(0, 0, 0)
	for p := range l.Pix {
		if pix[4*p+3] != 255 {
			return Map{}, errAlpha
		}
		if c := [3]uint8(pix[4*p:]); c != last || err != nil {
			last = c
			if label, err = value(c[0], c[1], c[2]); err != nil {
				return Map{}, fmt.Errorf("%w (x %d, y %d)", err, p%l.W, p/l.W)
			}
		}
		l.Pix[p] = label
	}
	return l, nil
}

// byPalette is decodeColours of a map with a palette. If a colour in use is none of the table, the indices are meant.
func byPalette(m *image.Paletted, value func(r, g, b uint8) (uint16, error)) (Map, error) {
	l := Map{W: m.Rect.Dx(), H: m.Rect.Dy()}
	l.Pix = make([]uint16, l.W*l.H)
	l.fill(m.Pix, m.Stride, 1, 1)
	var labels [256]uint16
	var known [256]bool
	for p, index := range l.Pix {
		if !known[index] {
			c := color.NRGBAModel.Convert(m.Palette[index]).(color.NRGBA)
			v, err := value(c.R, c.G, c.B)
			if err != nil {
				return Map{}, ErrNoColours
			}
			labels[index], known[index] = v, true
		}
		l.Pix[p] = labels[index]
	}
	return l, nil
}
