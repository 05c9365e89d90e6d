package datasets

import (
	"fmt"
	"image"
)

// ReadIDs reads a label PNG whose numbers are red + 256*green, as ImageNet-S has them, or a grey or palette one as [ReadLabels]
// does. Nothing is mapped or ignored.
func ReadIDs(path string) (Labels, error) {
	data, err := readBounded(path, MaxFileBytes)
	if err != nil {
		return Labels{}, err
	}
	const pngColour = 2 // the header's colour type of plain RGB
	read := decodeLabels
	if kind, err := sniff(data); err == nil && kind == kindPNG && len(data) > 25 && data[25] == pngColour {
		read = decodeIDs
	}
	l, err := read(data)
	if err != nil {
		return Labels{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

func decodeIDs(data []byte) (Labels, error) {
	if err := checkHeader(data, kindPNG); err != nil {
		return Labels{}, err
	}
	src, err := pngPixels(data)
	if err != nil {
		return Labels{}, err
	}
	m, ok := src.(*image.RGBA) // 8-bit colours without alpha
	if !ok {
		return Labels{}, fmt.Errorf("not an RGB PNG of 8 bits, which ImageNet-S stores R + 256*G in; use the original label maps")
	}
	l := Labels{W: m.Rect.Dx(), H: m.Rect.Dy(), Pix: make([]uint16, m.Rect.Dx()*m.Rect.Dy())}
	for y := range l.H {
		for x := range l.W {
			px := m.Pix[y*m.Stride+4*x:][:3]
			if px[2] != 0 {
				return Labels{}, fmt.Errorf("%w: colour %v at x %d, y %d has blue, which no label of ImageNet-S has", ErrLabelValue, px, x, y)
			}
			l.Pix[y*l.W+x] = uint16(px[0]) | uint16(px[1])<<8
		}
	}
	return l, nil
}
