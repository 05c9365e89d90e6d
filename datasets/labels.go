package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"image"
)

// Errors that [Verify] tells apart. At and ReadLabels wrap them with file and remedy.
var (
	ErrSize       = errors.New("image and its annotation differ in size")
	ErrLabelValue = errors.New("label value is out of range")
)

// errColours is a label map that readers of other encodings may know what to say about, and a fault of its own in [Verify].
var errColours = errors.New("label map is stored as colours, not as class numbers; a palette PNG was opened and saved again as RGB; use the original file, or convert each colour back to its palette index")

// ReadLabels reads the numbers stored in a label PNG: the index of a palette PNG (1 to 8 bits),
// the value of an 8 or 16-bit grey one. Nothing is mapped or ignored.
func ReadLabels(path string) (Labels, error) {
	data, err := readBounded(path, MaxFileBytes)
	if err != nil {
		return Labels{}, err
	}
	l, err := decodeLabels(data)
	if err != nil {
		return Labels{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

func decodeLabels(data []byte) (Labels, error) {
	kind, err := sniff(data)
	if err != nil {
		return Labels{}, err
	}
	if kind != kindPNG {
		return Labels{}, fmt.Errorf("label maps are PNG, this is %s, whose lossy compression invents labels; use the data set's own PNG files", kind)
	}
	if err := checkHeader(data, kind); err != nil {
		return Labels{}, err
	}
	if depth, colour := data[24], data[25]; colour == pngGrey && depth < 8 {
		// Readers disagree: the stored 1 of a 4-bit grey is 1 or 17.
		return Labels{}, fmt.Errorf("grey PNG of %d bits per pixel, whose values readers scale differently; save the label map as 8-bit grey or palette PNG", depth)
	}
	img, err := pngPixels(data)
	if err != nil {
		return Labels{}, err
	}
	b := img.Bounds()
	l := Labels{W: b.Dx(), H: b.Dy(), Pix: make([]uint16, b.Dx()*b.Dy())}
	switch m := img.(type) {
	case *image.Paletted:
		l.fill8(m.Pix, m.Stride)
	case *image.Gray:
		l.fill8(m.Pix, m.Stride)
	case *image.Gray16:
		for y := range l.H {
			row := m.Pix[y*m.Stride:]
			for x := range l.W {
				l.Pix[y*l.W+x] = uint16(row[2*x])<<8 | uint16(row[2*x+1])
			}
		}
	default:
		return Labels{}, errColours
	}
	return l, nil
}

func (l Labels) fill8(pix []byte, stride int) {
	for y := range l.H {
		out := l.Pix[y*l.W : (y+1)*l.W]
		for x, v := range pix[y*stride:][:l.W] {
			out[x] = uint16(v)
		}
	}
}

// A labelTable maps stored 8-bit values to labels; noLabel marks values that must not occur.
type labelTable [256]uint16

const noLabel = Ignore - 1

// newLabelTable maps 0..classes-1 to themselves and void to Ignore. With reduceZero it is
// mmsegmentation's reduce_zero_label: stored 0 is Ignore too, stored k is label k-1, and
// classes does not count the stored 0.
func newLabelTable(classes int, void uint8, reduceZero bool) *labelTable {
	var t labelTable
	for i := range t {
		t[i] = noLabel
	}
	first := 0
	if reduceZero {
		t[0] = Ignore
		first = 1
	}
	for k := range classes {
		t[first+k] = uint16(k)
	}
	t[void] = Ignore
	return &t
}

// apply maps l in place. The error is a [*labelStrays], and l is then good for nothing.
func (t *labelTable) apply(l Labels) error {
	var strays *labelStrays
	for i, v := range l.Pix {
		mapped := uint16(noLabel)
		if v < uint16(len(t)) {
			mapped = t[v]
		}
		if mapped == noLabel {
			if strays == nil {
				strays = &labelStrays{first: v, x: i % l.W, y: i / l.W, allowed: t.allowed(), pixels: make(map[uint16]int)}
			}
			strays.pixels[v]++
		}
		l.Pix[i] = mapped
	}
	if strays != nil {
		return strays
	}
	return nil
}

// labelStrays is an ErrLabelValue with all that is wrong: how many pixels have each value that must not occur.
type labelStrays struct {
	first   uint16 // found at x, y
	x, y    int
	allowed string
	pixels  map[uint16]int
}

func (s *labelStrays) Error() string {
	return fmt.Sprintf("%v: %d at x %d, y %d; allowed are %s", ErrLabelValue, s.first, s.x, s.y, s.allowed)
}

func (s *labelStrays) Unwrap() error { return ErrLabelValue }

// allowed lists the stored values as ranges: "0..20, 255".
func (t *labelTable) allowed() string {
	var b bytes.Buffer
	for i := 0; i < len(t); i++ {
		if t[i] == noLabel {
			continue
		}
		first := i
		for i+1 < len(t) && t[i+1] != noLabel {
			i++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if fmt.Fprint(&b, first); i > first {
			fmt.Fprintf(&b, "..%d", i)
		}
	}
	return b.String()
}

// checkSizes compares a picture of w x h pixels with its label map.
func checkSizes(imagePath, labelPath string, w, h, labelW, labelH int) error {
	switch {
	case w == labelW && h == labelH:
		return nil
	case w == labelH && h == labelW:
		return fmt.Errorf("%w: %s is %dx%d, %s is %dx%d; one of them was rotated, likely by its EXIF orientation: labels refer to stored pixels, so read pictures as stored and keep the original files",
			ErrSize, imagePath, w, h, labelPath, labelW, labelH)
	}
	return fmt.Errorf("%w: %s is %dx%d, %s is %dx%d; neither may be resized, and EXIF rotation must not be applied to the files",
		ErrSize, imagePath, w, h, labelPath, labelW, labelH)
}
