package picture

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
)

// opaque is a decoded picture as 8-bit RGB. It takes over the memory of m where that has four bytes a pixel already.
func opaque(m image.Image, saturate bool) (*image.NRGBA, error) {
	switch m := m.(type) {
	case *image.NRGBA:
		return withoutAlpha(m), nil
	case *image.RGBA: // without alpha there
		return withoutAlpha(&image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}), nil
	}
	b := m.Bounds()
	dst := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		if err := row(dst.Pix[y*dst.Stride:][:4*b.Dx()], m, y, saturate); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func withoutAlpha(m *image.NRGBA) *image.NRGBA {
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	return m
}

// row converts one row of the other image types that decoders return.
func row(out []byte, src image.Image, y int, saturate bool) error {
	switch m := src.(type) {
	case *image.Gray:
		greyRow(out, m.Pix[y*m.Stride:])
	case *image.Gray16:
		wideRow(out, m.Pix[y*m.Stride:], 2, saturate)
	case *image.Paletted:
		paletteRow(out, m.Pix[y*m.Stride:], m.Palette)
	case *image.RGBA64:
		wideRow(out, m.Pix[y*m.Stride:], 8, saturate)
	case *image.NRGBA64:
		wideRow(out, m.Pix[y*m.Stride:], 8, saturate)
	default:
		return fmt.Errorf("pixels of the kind %T, which is not handled; save it as 8-bit RGB", src)
	}
	return nil
}

func greyRow(out, in []byte) {
	for i := 0; i < len(out); i += 4 {
		v := in[i/4]
		out[i], out[i+1], out[i+2], out[i+3] = v, v, v, 255
	}
}

// wideRow converts big-endian 16-bit samples, size bytes a pixel: 2 for grey, 8 for colour and alpha.
func wideRow(out, in []byte, size int, saturate bool) {
	for i := 0; i < len(out); i += 4 {
		px := in[i/4*size:][:size]
		for c := range 3 {
			s := 2 * c
			if size == 2 {
				s = 0
			}
			out[i+c] = px[s]
			if saturate {
				out[i+c] = uint8(min(255, binary.BigEndian.Uint16(px[s:])))
			}
		}
		out[i+3] = 255
	}
}

func paletteRow(out, in []byte, palette color.Palette) {
	for i := 0; i < len(out); i += 4 {
		var c color.NRGBA
		switch p := palette[in[i/4]].(type) {
		case color.RGBA: // opaque
			c = color.NRGBA(p)
		case color.NRGBA:
			c = p
		case color.RGBA64: // of TIFF
			c = color.NRGBA{R: uint8(p.R >> 8), G: uint8(p.G >> 8), B: uint8(p.B >> 8)}
		}
		out[i], out[i+1], out[i+2], out[i+3] = c.R, c.G, c.B, 255
	}
}
