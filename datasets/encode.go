package datasets

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// EncodeLabels writes a label map as VOC's are stored: a PNG of palette indices, [Ignore] as 255.
func EncodeLabels(w io.Writer, l Labels) error {
	img := &image.Paletted{Pix: make([]uint8, len(l.Pix)), Stride: l.W, Rect: image.Rect(0, 0, l.W, l.H), Palette: vocPalette()}
	for p, v := range l.Pix {
		switch {
		case v == Ignore:
			img.Pix[p] = 255
		case v < 255:
			img.Pix[p] = uint8(v)
		default:
			return fmt.Errorf("label %d at pixel %d: a label map of one byte ends at 254", v, p)
		}
	}
	return png.Encode(w, img)
}

// EncodeJPEG writes a picture as JPEG, at a quality at which one has to look for the difference.
func EncodeJPEG(w io.Writer, img image.Image) error {
	return jpeg.Encode(w, img, &jpeg.Options{Quality: 95})
}

// ObjectMap labels the pixels of object k of a sample k+1, the rest 0, as VOC's SegmentationObject does. Objects without a mask
// have no pixels.
func ObjectMap(s Sample) Labels {
	l := Labels{W: s.Labels.W, H: s.Labels.H, Pix: make([]uint16, len(s.Labels.Pix))}
	for k, o := range s.Objects {
		if o.Mask.Counts != nil {
			o.Mask.Paint(l.Pix, uint16(k+1))
		}
	}
	return l
}

// vocPalette is VOC's colour map: bits 0, 1, 2 of an index become the top bits of red, green and blue, bits 3, 4, 5 the next.
func vocPalette() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		var c color.NRGBA
		c.A = 255
		for bit, v := 7, i; bit >= 0; bit, v = bit-1, v>>3 {
			c.R |= uint8(v&1) << bit
			c.G |= uint8(v>>1&1) << bit
			c.B |= uint8(v>>2&1) << bit
		}
		p[i] = c
	}
	return p
}
